/* What a command prints. */
#ifndef STAVE_OUTPUT_H
#define STAVE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether all of the text has been written to the standard output; a reader that has left is no signal's matter. */
bool output_write(const char *text, size_t length);

#endif
