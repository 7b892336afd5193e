/* Small files in the container's run directory, and the lock that says a supervisor is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "supervisor.h"

int run_directory = -1;
static const char *run_path;

#define LOCK 4

void files_open(const char *path)
{
	run_path = path;
	run_directory = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run_directory < 0)
		fail("open the run directory");
}

/* Whoever started this process has locked the file. No command inherits the descriptor, so the kernel releases the lock
 * when this process ends, however it ends. */
bool supervisor_lock(void)
{
	return fcntl(LOCK, F_SETFD, FD_CLOEXEC) == 0;
}

void supervisor_unlock(void)
{
	close(LOCK);
}

static bool write_all(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(fd, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return false;
		text += written;
		length -= (size_t)written;
	}
	return true;
}

void file_write(const char *name, const char *text, size_t length)
{
	char temporary[64];
	int fd;

	snprintf(temporary, sizeof temporary, ".%s.new", name);
	fd = openat(run_directory, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	/* A full disk is no reason to end: the container's end is told to whoever is connected. */
	if (write_all(fd, text, length))
		renameat(run_directory, temporary, run_directory, name);
	close(fd);
}

size_t file_read(const char *name, char *text, size_t size)
{
	int fd = openat(run_directory, name, O_RDONLY | O_CLOEXEC);
	size_t length = 0;

	while (fd >= 0 && length < size) {
		ssize_t got = read(fd, text + length, size - length);

		if (got <= 0)
			break;
		length += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return length;
}

void file_remove(const char *name)
{
	unlinkat(run_directory, name, 0);
}

void files_remove(void)
{
	static const char *const names[] = {"status", "failure", "pid", "runtime.log", "console", "control", "lock"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		file_remove(names[i]);
	rmdir(run_path);
}
