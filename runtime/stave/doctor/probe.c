#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* <sys/mount.h> cannot be included beside <linux/mount.h>. */
extern int mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *data);

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif
#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#define AT_WHOLE_TREE 0x8000 /* AT_RECURSIVE, which glibc 2.36 lacks */

/* A descriptor that was only to be had, or the reason why not. */
static int got(long descriptor)
{
	if (descriptor < 0)
		return -errno;
	close((int)descriptor);
	return 0;
}

int probe_openat2(void)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};

	return got(syscall(SYS_openat2, AT_FDCWD, ".", &how, sizeof how));
}

int probe_clone3(void)
{
	/* Arguments of no size are refused before anything happens. */
	syscall(SYS_clone3, NULL, 0);
	return errno == EINVAL ? 0 : -errno;
}

int probe_pidfd(void)
{
	return got(syscall(SYS_pidfd_open, getpid(), 0));
}

int probe_close_range(void)
{
	return syscall(SYS_close_range, ~0U - 1, ~0U, 0) < 0 ? -errno : 0;
}

int probe_memfd_exec(void)
{
	int fd = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	if (fd < 0 && errno == EINVAL) /* before 6.3 every memfd may be executed */
		fd = memfd_create("probe", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return got(fd);
}

static int detached_tmpfs(void)
{
	int context = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int mounted, error;

	if (context < 0)
		return -errno;
	if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		mounted = -errno;
	else if ((mounted = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, 0)) < 0)
		mounted = -errno;
	error = mounted;
	close(context);
	return error;
}

static int set_attributes(int mounted, struct mount_attr *attributes)
{
	int flags = AT_EMPTY_PATH | AT_WHOLE_TREE;

	return syscall(SYS_mount_setattr, mounted, "", flags, attributes, sizeof *attributes) < 0 ? -errno : 0;
}

int probe_new_mounts(void)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	int mounted = detached_tmpfs();
	int error;

	if (mounted < 0)
		return mounted;
	error = set_attributes(mounted, &attributes);
	close(mounted);
	return error;
}

/* The process has a mapping of one id, root's of the namespace onto its own outside. Returns 0 or -errno. */
static int map_own_ids(uid_t uid, gid_t gid)
{
	static const char *const files[] = {"/proc/self/setgroups", "/proc/self/uid_map", "/proc/self/gid_map"};
	char texts[3][32] = {"deny"};

	snprintf(texts[1], sizeof texts[1], "0 %u 1", uid);
	snprintf(texts[2], sizeof texts[2], "0 %u 1", gid);
	for (int at = 0; at < 3; at++) {
		int fd = open(files[at], O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, texts[at], strlen(texts[at])) < 0)
			return -errno;
		close(fd);
	}
	return 0;
}

/* Runs `act` in a child in new namespaces; returns what it returns, or why they cannot be made. */
static int in_namespaces(int flags, int (*act)(const void *), const void *argument)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		int error = unshare(flags) < 0 ? -errno : 0;

		if (!error && (flags & CLONE_NEWUSER))
			error = map_own_ids(uid, gid);
		_exit(error ? -error : -(act ? act(argument) : 0));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
}

int probe_namespaces(int flags)
{
	return in_namespaces(flags, NULL, NULL);
}

static int mount_overlay(const void *argument)
{
	static const char *const names[] = {"lower", "upper", "work", "merged"};

	if (chdir(argument) < 0 || mount("tmpfs", ".", "tmpfs", 0, NULL) < 0 || chdir(argument) < 0)
		return -errno;
	for (int at = 0; at < 4; at++)
		if (mkdir(names[at], 0755) < 0)
			return -errno;
	return mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work") < 0 ? -errno
													   : 0;
}

int probe_overlay_in_user_namespace(const char *directory)
{
	return in_namespaces(CLONE_NEWUSER | CLONE_NEWNS, mount_overlay, directory);
}

/* The child keeps a user namespace until it is killed. */
static pid_t user_namespace(int *descriptor)
{
	int ready[2];
	char path[64], byte = 1;
	pid_t pid;
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid == 0) {
		byte = unshare(CLONE_NEWUSER) < 0 || map_own_ids(uid, gid) < 0;
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	if (pid > 0) {
		snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
		if (read(ready[0], &byte, 1) == 1 && byte == 0)
			*descriptor = open(path, O_RDONLY | O_CLOEXEC);
	}
	close(ready[0]);
	return pid;
}

int probe_idmapped_mount(void)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP};
	int namespace = -1;
	int mounted = detached_tmpfs();
	int error = 0;
	pid_t pid;

	if (mounted < 0)
		return mounted;
	pid = user_namespace(&namespace);
	if (pid < 0 || namespace < 0) {
		error = -EPERM;
	} else {
		attributes.userns_fd = (uint64_t)namespace;
		error = set_attributes(mounted, &attributes);
		close(namespace);
	}
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(mounted);
	return error;
}
