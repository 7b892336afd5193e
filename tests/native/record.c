/* Opens the record in a file, or damaged copies of it, each in a block of memory of just its size.
 *
 *     record print FILE        what it says, a line each; "refused" if it is none
 *     record damage FILE       every shorter length, and every value of every byte; prints how many were accepted
 */
#include "launcher/record.h"

#include "check.h"

#include <string.h>

static volatile size_t sink;

static bool attempt(const char *data, size_t size, FILE *out)
{
	struct record record;
	char *copy = malloc(size ? size : 1);
	bool accepted;

	EXPECT(copy);
	memcpy(copy, data, size);
	accepted = record_open(&record, copy, size);
	if (accepted) {
		sink += strlen(record.before_status) + strlen(record.before_pid) + strlen(record.after_pid) +
			strlen(record.listed_before_status) + strlen(record.listed_before_pid) +
			strlen(record.listed_after_pid) + strlen(record.bundle) + strlen(record.created) +
			strlen(record.freezer);
		if (out)
			fprintf(out, "%s|%s|%s%s|%s|%s\n%d %s %s\n%s\n%zu groups\n", record.before_status,
				record.before_pid, record.after_pid, record.listed_before_status,
				record.listed_before_pid, record.listed_after_pid, (int)record.head.owner,
				record.bundle, record.created, record.freezer, record.group_count);
		for (size_t i = 0; i < record.path_count; i++) {
			sink += strlen(record.paths[i]);
			if (out)
				fprintf(out, "%s\n", record.paths[i]);
		}
	}
	free(copy);
	return accepted;
}

int main(int count, char **arguments)
{
	static char data[RECORD_MAX];
	unsigned long accepted = 0;
	FILE *file;
	size_t size;

	EXPECT(count == 3);
	file = fopen(arguments[2], "rb");
	EXPECT(file);
	size = fread(data, 1, sizeof data, file);
	fclose(file);
	if (strcmp(arguments[1], "print") == 0) {
		if (!attempt(data, size, stdout))
			puts("refused");
		return 0;
	}
	for (size_t length = 0; length < size; length++)
		EXPECT(!attempt(data, length, NULL));
	for (size_t at = 0; at < size; at++) {
		char before = data[at];

		for (int value = 0; value < 256; value++) {
			data[at] = (char)value;
			accepted += attempt(data, size, NULL);
		}
		data[at] = before;
	}
	printf("%lu\n", accepted);
	return 0;
}
