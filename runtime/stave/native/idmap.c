/* What the runtime does to the mounts that it opens for a container: above all, ids under other numbers. */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHILD_STACK 16384

/* Keeps its user namespace alive until it is killed. */
static int wait_to_be_killed(void *data)
{
	(void)data;
	while (pause() < 0)
		;
	return 0;
}

static int write_map(int pid, const char *name, const char *text)
{
	char path[64];
	ssize_t written;
	int fd, error;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	written = write(fd, text, strlen(text));
	error = written < 0 ? -errno : 0;
	close(fd);
	return error;
}

static int open_mapped(int pid, const char *uid_map, const char *gid_map)
{
	char path[64];
	int fd, error = write_map(pid, "uid_map", uid_map);

	if (!error)
		error = write_map(pid, "gid_map", gid_map);
	if (error)
		return error;
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int stave_user_namespace(const char *uid_map, const char *gid_map)
{
	char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	int pid, result;

	if (stack == MAP_FAILED)
		return -errno;
	/* A handler of the runtime's must not run in the child: the memory is shared. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(wait_to_be_killed, stack + CHILD_STACK, CLONE_VM | CLONE_NEWUSER | SIGCHLD, NULL);
	result = pid < 0 ? -errno : open_mapped(pid, uid_map, gid_map);
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (syscall(SYS_wait4, pid, NULL, 0, NULL) < 0 && errno == EINTR)
			;
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, CHILD_STACK);
	return result;
}

int stave_map_ids(int mount, int user_namespace, int recursive)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);

	return syscall(SYS_mount_setattr, mount, "", flags, &attributes, sizeof attributes) ? -errno : 0;
}

int stave_make_slave(int mount)
{
	struct mount_attr attributes = {.propagation = MS_SLAVE};
	unsigned flags = AT_EMPTY_PATH | AT_RECURSIVE;

	return syscall(SYS_mount_setattr, mount, "", flags, &attributes, sizeof attributes) ? -errno : 0;
}
