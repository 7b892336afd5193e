/* The same as stave/cli/list_.py prints, as long as every container has its record. */
#define _GNU_SOURCE
#include "list.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "command.h"
#include "container.h"
#include "output.h"

enum { ID, PID, STATUS, BUNDLE, CREATED, OWNER, COLUMNS };

/* As in list_.py. */
#define MINIMUM_WIDTH 12
#define GAP 3

/* Of the table, each text in memory of its own. */
struct row {
	char *cells[COLUMNS];
};

struct listing {
	enum list_form form;
	FILE *text; /* what has been put together of the output */
	struct row *rows;
	size_t count;
	uint64_t owner;
	char owner_name[64]; /* "" as long as it has not been looked up */
};

/* Whether the users' names come from /etc/passwd before anywhere else. Without the file they do, and a line that
 * begins otherwise than most do is Python's. */
static bool names_are_in_files(void)
{
	FILE *file = fopen("/etc/nsswitch.conf", "re");
	char line[256];
	bool first = !file;

	while (file && fgets(line, sizeof line, file))
		if (strncmp(line, "passwd:", 7) == 0) {
			const char *source = line + 7 + strspn(line + 7, " \t");

			first = strncmp(source, "files", 5) == 0 && isspace((unsigned char)source[5]);
		}
	if (file)
		fclose(file);
	return first;
}

/* The name of the user whom most or all containers belong to; only one that needs no escapes. */
static bool find_owner(struct listing *listing, uint64_t owner)
{
	FILE *file;
	struct passwd *user;

	if (*listing->owner_name && listing->owner == owner)
		return true;
	file = names_are_in_files() ? fopen("/etc/passwd", "re") : NULL;
	if (!file)
		return false;
	do
		user = fgetpwent(file);
	while (user && user->pw_uid != owner);
	listing->owner = owner;
	*listing->owner_name = 0;
	if (user && strlen(user->pw_name) < sizeof listing->owner_name)
		strcpy(listing->owner_name, user->pw_name);
	fclose(file);
	for (const char *at = listing->owner_name; *at; at++)
		if (!isascii(*at) || (!isalnum(*at) && !strchr("_-.", *at)))
			return false;
	return *listing->owner_name;
}

static bool add_row(struct listing *listing, const char *id, const char *pid, const char *status,
		    const struct record *record)
{
	struct row *row = &listing->rows[listing->count];
	const char *cells[COLUMNS] = {[ID] = id,
				      [PID] = pid,
				      [STATUS] = status,
				      [BUNDLE] = record->bundle,
				      [CREATED] = record->created,
				      [OWNER] = listing->owner_name};

	for (int column = 0; column < COLUMNS; column++)
		if (!(row->cells[column] = strdup(cells[column])))
			return false;
	return true;
}

static bool add(struct listing *listing, const struct container *container, const char *id)
{
	const struct record *record = &container->record;
	enum status status = container_status(container);
	char pid[16];

	if (status == STATUS_UNKNOWN || !find_owner(listing, record->head.owner))
		return false;
	snprintf(pid, sizeof pid, "%d", status == STATUS_STOPPED ? 0 : (int)record->head.pid);
	switch (listing->form) {
	case LIST_TABLE:
		if (!add_row(listing, id, pid, status_names[status], record))
			return false;
		break;
	case LIST_JSON:
		fprintf(listing->text, "%s%s%s%s%s%s,\"owner\":\"%s\"}", listing->count ? "," : "",
			record->listed_before_status, status_names[status], record->listed_before_pid, pid,
			record->listed_after_pid, listing->owner_name);
		break;
	case LIST_IDS:
		fprintf(listing->text, "%s\n", id);
		break;
	}
	listing->count++;
	return true;
}

/* In characters, of which bytes like 10xxxxxx begin none in UTF-8. */
static size_t width_of(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void write_table(const struct listing *listing)
{
	static const struct row head = {{"ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"}};
	size_t widths[COLUMNS];

	for (int column = 0; column < COLUMNS; column++) {
		widths[column] = MINIMUM_WIDTH;
		for (size_t i = 0; i < listing->count; i++) {
			size_t width = width_of(listing->rows[i].cells[column]) + GAP;

			if (width > widths[column])
				widths[column] = width;
		}
	}
	for (size_t i = 0; i <= listing->count; i++) {
		const struct row *row = i ? &listing->rows[i - 1] : &head;

		for (int column = 0; column < OWNER; column++) {
			const char *cell = row->cells[column];

			fprintf(listing->text, "%s%*s", cell, (int)(widths[column] - width_of(cell)), "");
		}
		fprintf(listing->text, "%s\n", row->cells[OWNER]);
	}
}

static int is_visible(const struct dirent *entry)
{
	return strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..");
}

/* Python's strings are ordered by their characters, and an id has none but ASCII. */
static int by_bytes(const struct dirent **one, const struct dirent **other)
{
	return strcmp((*one)->d_name, (*other)->d_name);
}

/* As state.list_all passes over it: the filters that are kept, and what else is there. */
static bool is_no_container(const char *root, const char *id)
{
	char path[4096];
	struct stat file;

	return snprintf(path, sizeof path, "%s/%s/state.json", root, id) < (int)sizeof path &&
	       lstat(path, &file) && (errno == ENOENT || errno == ENOTDIR);
}

static bool put_together(struct listing *listing, const char *root)
{
	static struct container container;
	struct dirent **entries;
	int count = scandir(root, &entries, is_visible, by_bytes);

	listing->rows = calloc((size_t)(count > 0 ? count : 1), sizeof *listing->rows);
	if (count < 0 || !listing->rows)
		return false;
	if (listing->form == LIST_JSON)
		fputc('[', listing->text);
	for (int i = 0; i < count; i++) {
		const char *id = entries[i]->d_name;

		if (is_container_id(id) && container_open(&container, root, id, false)) {
			if (!add(listing, &container, id))
				return false;
		} else if (!is_no_container(root, id))
			return false;
	}
	if (listing->form == LIST_TABLE)
		write_table(listing);
	if (listing->form == LIST_JSON)
		fputs("]\n", listing->text);
	return true;
}

/* Nothing is freed: the process ends, or becomes another program. */
bool list_print(const char *root, enum list_form form)
{
	struct listing listing = {.form = form};
	size_t length;
	char *text;

	listing.text = open_memstream(&text, &length);
	if (!listing.text || !put_together(&listing, root) || fclose(listing.text))
		return false;
	return output_write(text, length);
}
