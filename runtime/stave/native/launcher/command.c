#define _GNU_SOURCE
#include "command.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define ID_LIMIT 1024
#define LAST_NAMED_SIGNAL 31
#define LAST_SIGNAL 64

/* What follows the dashes of a flag, which may be one or two; NULL for other words. */
static const char *flag_name(const char *word)
{
	if (word[0] != '-' || !word[1])
		return NULL;
	return word + (word[1] == '-' ? 2 : 1);
}

/* If words[*at] is the flag `name`: its value, which may be the next word, and *at moves behind it. */
static const char *value_of(const char *name, char *const *words, int count, int *at)
{
	const char *flag = flag_name(words[*at]);
	size_t length = strlen(name);

	if (!flag || strncmp(flag, name, length))
		return NULL;
	if (flag[length] == '=') {
		*at += 1;
		return flag + length + 1;
	}
	if (flag[length] || *at + 1 == count)
		return NULL;
	*at += 2;
	return words[*at - 1];
}

static bool is_flag(const char *word, const char *name)
{
	const char *flag = flag_name(word);

	return flag && strcmp(flag, name) == 0;
}

/* Reads the flags before the command and returns the place of the command, or -1. */
static int parse_globals(struct command *command, int count, char *const *words)
{
	const char *value;
	int at = 0;

	while (at < count && words[at][0] == '-') {
		if ((value = value_of("root", words, count, &at)))
			command->root = value;
		else if ((value = value_of("log", words, count, &at)))
			command->log = value;
		else if ((value = value_of("log-format", words, count, &at))) {
			if (strcmp(value, "text") && strcmp(value, "json"))
				return -1;
		} else if (is_flag(words[at], "systemd-cgroup"))
			at++;
		else
			return -1;
	}
	return at < count ? at : -1;
}

static bool parse_verb(struct command *command, const char *word)
{
	static const char *const names[] = {
	    [VERB_STATE] = "state", [VERB_START] = "start", [VERB_KILL] = "kill", [VERB_DELETE] = "delete",
	    [VERB_LIST] = "list", [VERB_PS] = "ps", [VERB_PAUSE] = "pause", [VERB_RESUME] = "resume"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(word, names[i]) == 0) {
			command->verb = (enum verb)i;
			return true;
		}
	return false;
}

bool is_container_id(const char *text)
{
	size_t length = strlen(text);

	if (!length || length > ID_LIMIT || strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		return false;
	for (; *text; text++)
		if (!strchr("_+-.", *text) && !(isascii(*text) && isalnum(*text)))
			return false;
	return true;
}

/* Returns the signal's number, or -1 for what only Python understands, or nobody. */
static int parse_signal(const char *text)
{
	if (!*text)
		return 15;
	if (isdigit(*text)) {
		int number = 0;

		for (int i = 0; text[i]; i++) {
			if (!isdigit(text[i]) || i == 3)
				return -1;
			number = number * 10 + (text[i] - '0');
		}
		return number <= LAST_SIGNAL ? number : -1;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int number = 1; number <= LAST_NAMED_SIGNAL; number++)
		if (strcasecmp(text, sigabbrev_np(number)) == 0)
			return number;
	return -1;
}

/* The words behind `list`: each flag once. */
static bool parse_list(struct command *command, char *const *words, int count)
{
	bool quiet = false, formed = false;
	const char *value;
	int at = 0;

	while (at < count) {
		if (!quiet && (is_flag(words[at], "quiet") || is_flag(words[at], "q"))) {
			quiet = true;
			at++;
		} else if (!formed && ((value = value_of("format", words, count, &at)) ||
				       (value = value_of("f", words, count, &at)))) {
			formed = true;
			if (strcmp(value, "json") == 0)
				command->form = LIST_JSON;
			else if (strcmp(value, "table"))
				return false;
		} else {
			return false;
		}
	}
	if (quiet)
		command->form = LIST_IDS;
	return true;
}

/* The words behind `ps`: JSON is asked for, of a container. What follows that would be for the host's ps. */
static bool parse_ps(struct command *command, char *const *words, int count)
{
	const char *value = NULL;
	int at = 0;

	if (count && !(value = value_of("format", words, count, &at)))
		value = value_of("f", words, count, &at);
	if (!value || strcmp(value, "json") || at != count - 1 || !is_container_id(words[at]) || words[at][0] == '-')
		return false;
	command->form = LIST_JSON;
	command->id = words[at];
	command->signal = 15;
	return true;
}

/* The words behind the commands that are about one container. */
static bool parse_container(struct command *command, char *const *words, int count)
{
	const char *arguments[2] = {"", ""};
	int found = 0;

	for (int at = 0; at < count; at++) {
		if (words[at][0] != '-') {
			if (found == (command->verb == VERB_KILL ? 2 : 1))
				return false;
			arguments[found++] = words[at];
		} else if (command->verb == VERB_DELETE && !command->force &&
			   (is_flag(words[at], "force") || is_flag(words[at], "f"))) {
			command->force = true;
		} else {
			return false;
		}
	}
	command->id = arguments[0];
	command->signal = parse_signal(arguments[1]);
	return is_container_id(command->id) && command->signal >= 0;
}

bool command_parse(struct command *command, int count, char *const *words)
{
	bool understood;
	int at;

	*command = (struct command){.root = "", .log = "", .id = ""};
	at = parse_globals(command, count, words);
	if (at < 0 || !parse_verb(command, words[at]))
		return false;
	words += at + 1;
	count -= at + 1;
	switch (command->verb) {
	case VERB_LIST:
		understood = parse_list(command, words, count);
		break;
	case VERB_PS:
		understood = parse_ps(command, words, count);
		break;
	default:
		understood = parse_container(command, words, count);
	}
	if (!understood)
		return false;
	if (!*command->root) {
		if (geteuid())
			return false;
		command->root = "/run/stave";
	}
	return true;
}
