/* What `restore` needs of the file system before criu takes over. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stddef.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "launch.h"

int stave_open_in_root(int root, const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	long fd = syscall(SYS_openat2, root, path, &how, sizeof how);

	return fd < 0 ? -errno : (int)fd;
}

int stave_isolate_root(const char *path)
{
	if (unshare(CLONE_NEWNS))
		return -errno;
	/* Mounts of the host still arrive, ours stay here and go with the process. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL))
		return -errno;
	if (mount(path, path, NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	return mount(NULL, path, NULL, MS_PRIVATE, NULL) ? -errno : 0;
}
