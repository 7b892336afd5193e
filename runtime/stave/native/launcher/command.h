/* A command line that the launcher can carry out itself. */
#ifndef STAVE_COMMAND_H
#define STAVE_COMMAND_H

#include <stdbool.h>

#include "list.h"

enum verb { VERB_STATE, VERB_START, VERB_KILL, VERB_DELETE, VERB_LIST, VERB_PS, VERB_PAUSE, VERB_RESUME };

struct command {
	enum verb verb;
	const char *root, *log, *id;
	int signal;
	bool force;
	enum list_form form;
};

/* Whether the words (without the program's name) are one of these commands with flags that everybody
 * uses, and correct. Anything else is for `stave/cli/parser.py`, whose rules these are. */
bool command_parse(struct command *command, int count, char *const *words);

/* Whether a container may have this name: one component of a path, and none that leads elsewhere. */
bool is_container_id(const char *text);

#endif
