/* A command line that the launcher can carry out itself. */
#ifndef STAVE_COMMAND_H
#define STAVE_COMMAND_H

#include <stdbool.h>

enum verb { VERB_STATE, VERB_START, VERB_KILL, VERB_DELETE };

struct command {
	enum verb verb;
	const char *root, *log, *id;
	int signal;
	bool force;
};

/* Whether the words (without the program's name) are one of the four commands with flags that everybody
 * uses, and correct. Anything else is for `stave/cli/parser.py`, whose rules these are. */
bool command_parse(struct command *command, int count, char *const *words);

#endif
