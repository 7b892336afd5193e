/* A container as its record and the kernel show it. */
#ifndef STAVE_CONTAINER_H
#define STAVE_CONTAINER_H

#include <sys/types.h>

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

/* The whole of a small file, with a 0 behind it; -errno. What does not fit is not read: -EFBIG. */
ssize_t read_file(const char *path, char *data, size_t size);

/* As `is_frozen` of stave/cgroups/files.py. */
bool is_frozen(const char *group);

enum status container_status(const struct container *container);

/* Whether the first process is alive; STATUS_UNKNOWN where that cannot be told. */
enum status container_process(const struct container *container);

#endif
