/* A container as its record and the kernel show it. */
#ifndef STAVE_CONTAINER_H
#define STAVE_CONTAINER_H

#include "record.h"

enum status { STATUS_UNKNOWN, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };

struct container {
	char path[4096]; /* leads to the state directory */
	int directory;	 /* its descriptor, if it is locked; otherwise -1 */
	struct record record;
	char data[RECORD_MAX]; /* what the record's texts point into */
};

extern const char *const status_names[];

/* Functions return false for whatever is not as expected: then nothing has been changed. */

/* Finds the state directory and reads the record. `lock`: it is ours until this process ends. */
bool container_open(struct container *container, const char *root, const char *id, bool lock);

enum status container_status(const struct container *container);

/* Whether the first process is alive; STATUS_UNKNOWN where that cannot be told. */
enum status container_process(const struct container *container);

#endif
