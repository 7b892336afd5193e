/* What `create` notes of a simple container for the launcher: the file `record` in the state directory.
 * `stave/container/record.py` writes it, says when, and draws its form.
 */
#ifndef STAVE_RECORD_H
#define STAVE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_MAX 65536
#define RECORD_PATHS 64

struct record_head {
	char magic[8];
	/* The state.json that it speaks of: every save makes another one. */
	uint64_t state_inode, state_size, state_time;
	uint64_t pid, start_time;
	uint64_t own_pid_namespace;
	uint64_t owner; /* a uid */
	uint64_t groups, made;
};

struct record {
	struct record_head head;
	/* `stave state` prints these with the status and the pid between them. */
	const char *before_status, *before_pid, *after_pid;
	/* `stave list --format json` likewise, with the owner's name and a brace behind them. */
	const char *listed_before_status, *listed_before_pid, *listed_after_pid;
	/* As `stave list` prints them in its table. */
	const char *bundle, *created;
	/* The cgroup that can be frozen; "" without one. */
	const char *freezer;
	/* The container's cgroups, the one that lists its processes first; then those made, in the order of
	 * their removal. */
	const char *paths[RECORD_PATHS];
	size_t group_count, path_count;
};

/* Whether the `size` bytes are a record; its texts point into them. */
bool record_open(struct record *record, const char *data, size_t size);

#endif
