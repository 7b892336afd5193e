#include "record.h"

#include <string.h>

struct cursor {
	const char *at, *end;
};

/* The next text, its length before it and its end behind it; NULL if there is none. */
static const char *next_text(struct cursor *cursor)
{
	const char *text;
	uint32_t length;

	if ((size_t)(cursor->end - cursor->at) <= sizeof length)
		return NULL;
	memcpy(&length, cursor->at, sizeof length);
	text = cursor->at + sizeof length;
	if (length >= (size_t)(cursor->end - text) || memchr(text, 0, (size_t)length + 1) != text + length)
		return NULL;
	cursor->at = text + length + 1;
	return text;
}

bool record_open(struct record *record, const char *data, size_t size)
{
	struct record_head *head = &record->head;
	struct cursor cursor = {data + sizeof *head, data + size};

	if (size < sizeof *head)
		return false;
	memcpy(head, data, sizeof *head);
	if (memcmp(head->magic, "stave 2\n", sizeof head->magic) || head->pid == 0 || head->pid > INT32_MAX ||
	    head->groups > RECORD_PATHS || head->made > RECORD_PATHS - head->groups)
		return false;
	record->group_count = (size_t)head->groups;
	record->path_count = (size_t)(head->groups + head->made);
	record->before_status = next_text(&cursor);
	record->before_pid = next_text(&cursor);
	record->after_pid = next_text(&cursor);
	record->listed_before_status = next_text(&cursor);
	record->listed_before_pid = next_text(&cursor);
	record->listed_after_pid = next_text(&cursor);
	record->bundle = next_text(&cursor);
	record->created = next_text(&cursor);
	record->freezer = next_text(&cursor);
	if (!record->freezer)
		return false;
	for (size_t i = 0; i < record->path_count; i++) {
		record->paths[i] = next_text(&cursor);
		if (!record->paths[i])
			return false;
	}
	return cursor.at == cursor.end;
}
