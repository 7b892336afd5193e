/* The container's log, in the form that Kubernetes' CRI has: "TIME STREAM F TEXT", with P for a part of a line.
 *
 * What the container wrote is there byte for byte: the texts of P entries are joined, an F entry ends with a newline.
 * When the file has its size, it becomes NAME.1, that one NAME.2, and so on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "supervisor.h"

#define HEAD_MAX 64

static int file = -1;
static long size;
static char buffer[CHUNK];
static size_t used;

int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

void log_open(void)
{
	struct stat status;

	if (settings.journal[0])
		journal_open();
	if (!settings.log[0])
		return;
	file = open(settings.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (file < 0 || fstat(file, &status))
		fail("open the log");
	size = status.st_size;
}

static void rotate(void)
{
	char from[4096], to[4096];

	if (settings.log_files < 2) {
		if (ftruncate(file, 0) == 0)
			size = 0;
		return;
	}
	for (long number = settings.log_files - 1; number > 0; number--) {
		snprintf(to, sizeof to, "%s.%ld", settings.log, number);
		if (number == 1)
			snprintf(from, sizeof from, "%s", settings.log);
		else
			snprintf(from, sizeof from, "%s.%ld", settings.log, number - 1);
		rename(from, to);
	}
	close(file);
	file = -1;
	log_open();
}

static void flush(void)
{
	const char *text = buffer;

	while (used) {
		ssize_t written = write(file, text, used);

		if (written <= 0) /* a full disk loses lines, not the container */
			break;
		size += written;
		text += written;
		used -= (size_t)written;
	}
	used = 0;
}

static void add(const char *text, size_t length)
{
	while (length) {
		size_t part = sizeof buffer - used < length ? sizeof buffer - used : length;

		memcpy(buffer + used, text, part);
		used += part;
		text += part;
		length -= part;
		if (used == sizeof buffer)
			flush();
	}
}

void log_write(const char *stream, const char *data, size_t length)
{
	int64_t now = now_ns();
	time_t seconds = now / 1000000000;
	char head[HEAD_MAX], date[32];
	struct tm parts;

	if (settings.journal[0])
		return journal_write(stream, data, length);
	if (file < 0)
		return;
	gmtime_r(&seconds, &parts);
	strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &parts);
	while (length) {
		const char *newline = memchr(data, '\n', length);
		size_t text = newline ? (size_t)(newline - data) : length;

		if (settings.log_size > 0 && size + (long)used > settings.log_size) {
			flush();
			rotate();
		}
		add(head, (size_t)snprintf(head, sizeof head, "%s.%09ldZ %s %c ", date, (long)(now % 1000000000), stream,
					   newline ? 'F' : 'P'));
		add(data, text);
		add("\n", 1);
		data += text + !!newline;
		length -= text + !!newline;
	}
	flush();
}

void event_write(const char *action, const char *attribute, const char *value)
{
	char line[TEXT_MAX];
	int length, events;

	if (!settings.event_log[0])
		return;
	/* The rest of the line was written by cooper, as JSON; actions, attributes and their values need no quoting. */
	length = snprintf(line, sizeof line, "{\"timeNano\":%lld,\"Action\":\"%s\",\"%s\":\"%s\",%s}\n", (long long)now_ns(),
			  action, attribute, value, settings.event);
	events = open(settings.event_log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (events < 0)
		return;
	/* One write of less than a page: whole, also when others append at the same time. */
	if (length < (int)sizeof line) {
		ssize_t written = write(events, line, (size_t)length);

		(void)written; /* a full disk loses events, not the container */
	}
	close(events);
}
