/* What cooper decided, read once from standard input. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

struct settings settings;

#define SETTINGS_MAX (1 << 20)

static void append(char ***list, char *value)
{
	size_t count = 0;

	while (*list && (*list)[count])
		count++;
	*list = realloc(*list, (count + 2) * sizeof **list);
	if (!*list)
		fail("memory");
	(*list)[count] = value;
	(*list)[count + 1] = NULL;
}

static const struct {
	const char *name;
	const char **text;
	long *number;
	bool *flag;
	char ***list;
} fields[] = {
    {.name = "id", .text = &settings.id},
    {.name = "log", .text = &settings.log},
    {.name = "journal", .text = &settings.journal},
    {.name = "log-size", .number = &settings.log_size},
    {.name = "log-files", .number = &settings.log_files},
    {.name = "event", .text = &settings.event},
    {.name = "event-log", .text = &settings.event_log},
    {.name = "restart", .text = &settings.restart},
    {.name = "restart-maximum", .number = &settings.restart_maximum},
    {.name = "stop-signal", .text = &settings.stop_signal},
    {.name = "stop-seconds", .number = &settings.stop_seconds},
    {.name = "rows", .number = &settings.rows},
    {.name = "columns", .number = &settings.columns},
    {.name = "input", .flag = &settings.input},
    {.name = "input-once", .flag = &settings.input_once},
    {.name = "hang-up", .flag = &settings.hang_up},
    {.name = "terminal", .flag = &settings.terminal},
    {.name = "run", .list = &settings.run},
    {.name = "kill", .list = &settings.kill},
    {.name = "pause", .list = &settings.pause},
    {.name = "resume", .list = &settings.resume},
    {.name = "remove", .list = &settings.remove},
    {.name = "clean-up", .list = &settings.clean_up},
    {.name = "check", .list = &settings.check},
    {.name = "cgroup", .list = &settings.cgroups},
    {.name = "check-interval", .number = &settings.check_interval},
    {.name = "check-start-interval", .number = &settings.check_start_interval},
    {.name = "check-timeout", .number = &settings.check_timeout},
    {.name = "check-start", .number = &settings.check_start},
    {.name = "check-retries", .number = &settings.check_retries},
    {.name = "unhealthy", .text = &settings.unhealthy},
};

static void set(char *entry)
{
	char *value = strchr(entry, '=');

	if (!value)
		fail("settings: no value");
	*value++ = 0;
	for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
		if (strcmp(fields[i].name, entry))
			continue;
		if (fields[i].text)
			*fields[i].text = value;
		else if (fields[i].number)
			*fields[i].number = strtol(value, NULL, 10);
		else if (fields[i].flag)
			*fields[i].flag = value[0] == '1';
		else
			append(fields[i].list, value);
		return;
	}
	fail("settings: unknown name");
}

void settings_read(int fd)
{
	size_t size = 0, room = 8192;
	char *text = malloc(room + 1);

	for (;;) {
		if (!text || room > SETTINGS_MAX)
			fail("settings: too large");
		ssize_t got = read(fd, text + size, room - size);

		if (got < 0)
			fail("settings");
		if (got == 0)
			break;
		size += (size_t)got;
		if (size == room) {
			room *= 2;
			text = realloc(text, room + 1);
		}
	}
	text[size] = 0;
	settings.id = settings.restart = settings.stop_signal = settings.unhealthy = "";
	settings.log = settings.journal = settings.event = settings.event_log = "";
	for (char *entry = text; entry < text + size;) {
		char *next = entry + strlen(entry) + 1;

		set(entry);
		entry = next;
	}
	if (!settings.id[0] || !settings.run)
		fail("settings: incomplete");
}
