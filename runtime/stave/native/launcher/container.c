#define _GNU_SOURCE
#include "container.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const status_names[] = {
    [STATUS_CREATED] = "created",
    [STATUS_RUNNING] = "running",
    [STATUS_PAUSED] = "paused",
    [STATUS_STOPPED] = "stopped",
};

ssize_t read_file(const char *path, char *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0;
	ssize_t got = -1;

	if (fd < 0)
		return -errno;
	while (length < size && (got = read(fd, data + length, size - length)) > 0)
		length += (size_t)got;
	if (got < 0)
		got = -errno;
	close(fd);
	if (got)
		return got < 0 ? got : -EFBIG;
	data[length] = 0;
	return (ssize_t)length;
}

/* A file of the state directory. */
static const char *file_of(const struct container *container, const char *name)
{
	static char path[sizeof container->path + 32];

	snprintf(path, sizeof path, "%s/%s", container->path, name);
	return path;
}

/* Whether the record is about the state.json that is there now. */
static bool is_current(const struct container *container)
{
	const struct record_head *head = &container->record.head;
	struct stat file;

	return lstat(file_of(container, "state.json"), &file) == 0 && file.st_ino == head->state_inode &&
	       (uint64_t)file.st_size == head->state_size &&
	       (uint64_t)file.st_mtim.tv_sec * 1000000000u + (uint64_t)file.st_mtim.tv_nsec ==
		   head->state_time;
}

bool container_open(struct container *container, const char *root, const char *id, bool lock)
{
	ssize_t size;

	container->directory = -1;
	if (snprintf(container->path, sizeof container->path, "%s/%s", root, id) >=
	    (int)sizeof container->path)
		return false;
	if (lock) {
		container->directory = open(container->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		/* Who has to wait for another command does so in Python. */
		if (container->directory < 0 || flock(container->directory, LOCK_EX | LOCK_NB))
			return false;
		/* Of the name there could be another container by now. */
		snprintf(container->path, sizeof container->path, "/proc/self/fd/%d", container->directory);
	}
	size = read_file(file_of(container, "record"), container->data, sizeof container->data);
	return size > 0 && record_open(&container->record, container->data, (size_t)size) &&
	       is_current(container);
}

/* proc_pid_stat(5): fields 3 (state) and 22 (start time); the name before them may hold anything. */
static bool parse_stat(const char *text, char *state, uint64_t *start_time)
{
	const char *at = strrchr(text, ')');

	if (!at || at[1] != ' ' || !at[2])
		return false;
	*state = at[2];
	at += 2;
	for (int field = 3; field < 22; field++) {
		at = strchr(at, ' ');
		if (!at)
			return false;
		at++;
	}
	*start_time = strtoull(at, NULL, 10);
	return true;
}

enum status container_process(const struct container *container)
{
	const struct record_head *head = &container->record.head;
	char path[64], text[4096], state;
	uint64_t start_time;
	ssize_t size;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)head->pid);
	size = read_file(path, text, sizeof text);
	if (size == -ENOENT || size == -ESRCH)
		return STATUS_STOPPED;
	if (size < 0 || !parse_stat(text, &state, &start_time))
		return STATUS_UNKNOWN;
	return start_time == head->start_time && !strchr("ZX", state) ? STATUS_RUNNING : STATUS_STOPPED;
}

bool is_frozen(const char *group)
{
	char path[4096], text[4096];

	if (!*group)
		return false;
	if (snprintf(path, sizeof path, "%s/freezer.state", group) < (int)sizeof path &&
	    read_file(path, text, sizeof text) >= 0)
		return strncmp(text, "FROZEN", 6) == 0;
	return snprintf(path, sizeof path, "%s/cgroup.events", group) < (int)sizeof path &&
	       read_file(path, text, sizeof text) >= 0 && strstr(text, "\nfrozen 1");
}

enum status container_status(const struct container *container)
{
	enum status status = container_process(container);
	struct stat file;

	if (status != STATUS_RUNNING)
		return status;
	if (is_frozen(container->record.freezer))
		return STATUS_PAUSED;
	if (lstat(file_of(container, "start.sock"), &file) == 0)
		return STATUS_CREATED;
	return errno == ENOENT ? STATUS_RUNNING : STATUS_UNKNOWN;
}
