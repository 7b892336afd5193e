/* The commands that the launcher carries out itself, without an interpreter. */
#ifndef STAVE_ANSWER_H
#define STAVE_ANSWER_H

#include <stdbool.h>

/* Whether the command that the words stand for has been carried out, and well. Otherwise it is Python's, from
 * the beginning: nothing has been changed that it would not change itself, and nothing was printed.
 *
 * *connection is -1, or the connection over which a `start` has set off the container's process, which
 * has something to say, such as that it failed: that is still to be read. */
bool answer(int count, char *const *words, int *connection);

#endif
