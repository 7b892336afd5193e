/* The list of all containers. */
#ifndef STAVE_LIST_H
#define STAVE_LIST_H

#include <stdbool.h>

enum list_form { LIST_TABLE, LIST_JSON, LIST_IDS };

/* Prints the containers below `root`; false, and nothing printed, if one of them is not as expected. */
bool list_print(const char *root, enum list_form form);

#endif
