#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/memfd.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "init_image.gen.h"
#include "operations.gen.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

#define CHILD_STACK 65536

static int write_image(int fd)
{
	const unsigned char *at = init_image;
	size_t left = sizeof init_image;

	while (left) {
		ssize_t written = write(fd, at, left);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			at += written;
			left -= (size_t)written;
		}
	}
	return 0;
}

static int sealed_image(void)
{
	int fd = memfd_create("stave-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	int error;

	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create("stave-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	error = write_image(fd);
	if (!error && fchmod(fd, 0500))
		error = -errno;
	if (!error && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		error = -errno;
	if (error) {
		close(fd);
		return error;
	}
	return fd;
}

/* vm.memfd_noexec=2 forbids executable memfds. A file without a name does as well: once it is open for
 * reading only, nobody can open it for writing but through our own /proc, and execve refuses that. */
static int private_image(const char *directory)
{
	char path[32];
	int writer = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0500);
	int error, fd = -1;

	if (writer < 0)
		return -errno;
	error = write_image(writer);
	if (!error) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", writer);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			error = -errno;
	}
	close(writer);
	return error ? error : fd;
}

int stave_init_image(const char *directory)
{
	int fd = sealed_image();

	return fd == -EACCES ? private_image(directory) : fd;
}

int stave_socket_pair(int *ends)
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) ? -errno : 0;
}

/* sun_path is short and state directories are deep: the name is reached through the directory's descriptor. */
int stave_listen(int directory, const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, error = 0;

	if (snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", directory, name) >=
	    (int)sizeof address.sun_path)
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The name gets the mode that the socket has; the umask would be every thread's. */
	if (fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 8))
		error = -errno;
	if (error)
		close(fd);
	return error ? error : fd;
}

struct child {
	int image;
	char *const *arguments;
	const int *streams;
	int preserve;
	const int *kept;
	int kept_count;
	int error;
};

/* Descriptors 0, 1 and 2 are the three given ones, which may be any of these in any order. */
static int take_streams(const int *given)
{
	int streams[3];

	for (int i = 0; i < 3; i++) {
		streams[i] = given[i];
		if (given[i] < 3 && given[i] != i)
			streams[i] = fcntl(given[i], F_DUPFD_CLOEXEC, 3);
	}
	for (int i = 0; i < 3; i++)
		if (streams[i] < 0 || (streams[i] != i && dup2(streams[i], i) < 0))
			return -errno;
	return 0;
}

/* Shares the runtime's memory (CLONE_VM) until execve: no page is copied, none is charged elsewhere. */
static int run_child(void *data)
{
	static char *const environment[] = {NULL};
	struct child *child = data;

	child->error = take_streams(child->streams);
	if (child->error)
		_exit(127);
	if (syscall(SYS_close_range, 3u + (unsigned)child->preserve, ~0u, CLOSE_RANGE_CLOEXEC)) {
		child->error = -errno;
		_exit(127);
	}
	for (int i = 0; i < child->kept_count; i++)
		fcntl(child->kept[i], F_SETFD, 0);
	syscall(SYS_execveat, child->image, "", child->arguments, environment, AT_EMPTY_PATH);
	child->error = -errno;
	_exit(127);
}

static void wait_for(int pid)
{
	while (syscall(SYS_wait4, pid, NULL, 0, NULL) < 0 && errno == EINTR)
		;
}

/* Runs `function` in a process that shares this one's memory until it executes something, and returns
 * its pid, or the error that the function left in *child_error. */
static int clone_until_exec(int (*function)(void *), void *data, int *child_error, uint64_t flags)
{
	char *stack = mmap(NULL, CHILD_STACK, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	sigset_t all, before;
	int pid, error;

	if (stack == MAP_FAILED)
		return -errno;
	/* A handler of the runtime's must not run in the child: the memory is shared. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = clone(function, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK | SIGCHLD | (int)flags, data);
	error = pid < 0 ? -errno : *child_error;
	sigprocmask(SIG_SETMASK, &before, NULL);
	munmap(stack, CHILD_STACK);
	if (error && pid > 0)
		wait_for(pid);
	return error ? error : pid;
}

int stave_launch(int image, char *const *arguments, const int *streams, uint64_t flags, int preserve,
		 const int *kept, int kept_count)
{
	struct child child = {image, arguments, streams, preserve, kept, kept_count, 0};

	return clone_until_exec(run_child, &child, &child.error, flags);
}

int stave_send_go(int socket)
{
	struct message message = {.type = MESSAGE_GO};

	return send(socket, &message, MESSAGE_HEAD, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int send_with_descriptor(int socket, const void *data, size_t length, int descriptor)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)data, length};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.space,
				.msg_controllen = sizeof control.space};
	struct cmsghdr *attached = CMSG_FIRSTHDR(&header);

	attached->cmsg_level = SOL_SOCKET;
	attached->cmsg_type = SCM_RIGHTS;
	attached->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(attached), &descriptor, sizeof descriptor);
	for (;;) {
		ssize_t sent = sendmsg(socket, &header, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			part.iov_base = (char *)part.iov_base + sent;
			part.iov_len -= (size_t)sent;
			/* The descriptor went with the first part. */
			header.msg_control = NULL;
			header.msg_controllen = 0;
		}
		if (!part.iov_len)
			return 0;
	}
}

int stave_send_source(int socket, int mount)
{
	struct message message = {.type = MESSAGE_SOURCE};

	return send_with_descriptor(socket, &message, MESSAGE_HEAD, mount);
}

struct opened {
	int namespace;
	const char *path;
	unsigned flags;
	int result;
};

/* Shares the runtime's memory and descriptors, but not what it takes for its root. */
static int open_in_namespace(void *data)
{
	struct opened *child = data;

	child->result = setns(child->namespace, CLONE_NEWNS);
	if (!child->result)
		child->result = (int)syscall(SYS_open_tree, AT_FDCWD, child->path, child->flags);
	if (child->result < 0)
		child->result = -errno;
	_exit(0);
}

int stave_open_tree(int mount_namespace, const char *path, int recursive, int link)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) |
			 (link ? AT_SYMLINK_NOFOLLOW : 0);
	struct opened child = {mount_namespace, path, flags, 0};
	int none = 0;
	int pid = clone_until_exec(open_in_namespace, &child, &none, CLONE_FILES);

	if (pid < 0)
		return pid;
	wait_for(pid);
	return child.result;
}

int stave_receive(int socket, struct message *message, int *descriptor)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = {message, sizeof *message};
	struct msghdr header = {.msg_iov = &part,
				.msg_iovlen = 1,
				.msg_control = control.space,
				.msg_controllen = sizeof control.space};
	struct cmsghdr *attached;
	ssize_t length;

	*descriptor = -1;
	memset(message, 0, sizeof *message);
	do
		length = recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
	while (length < 0 && errno == EINTR);
	if (length < 0)
		return errno == ECONNRESET ? 0 : -errno;
	attached = CMSG_FIRSTHDR(&header);
	if (attached && attached->cmsg_level == SOL_SOCKET && attached->cmsg_type == SCM_RIGHTS)
		memcpy(descriptor, CMSG_DATA(attached), sizeof *descriptor);
	if (length && length < (ssize_t)MESSAGE_HEAD)
		return -EPROTO;
	message->detail[MESSAGE_DETAIL - 1] = 0;
	return (int)length;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, place = -1, error = 0;

	if (strlen(path) >= sizeof address.sun_path) {
		place = open(path, O_PATH | O_CLOEXEC);
		if (place < 0)
			return -errno;
		snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
	} else {
		strcpy(address.sun_path, path);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
		error = -errno;
	if (place >= 0)
		close(place);
	if (error && fd >= 0)
		close(fd);
	return error ? error : fd;
}

int stave_send_descriptor(const char *path, int descriptor, const char *name)
{
	int fd = connect_to(path), error;

	if (fd < 0)
		return fd;
	error = send_with_descriptor(fd, name, strlen(name), descriptor);
	close(fd);
	return error;
}

int stave_set_rlimit(int pid, int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit limit = {soft, hard};

	return prlimit(pid, resource, &limit, NULL) ? -errno : 0;
}

int stave_bpf(int command, void *attributes, int size)
{
	long result = syscall(SYS_bpf, command, attributes, size);

	return result < 0 ? -errno : (int)result;
}

int stave_put_address(void *attributes, int offset, const void *buffer)
{
	uint64_t address = (uintptr_t)buffer;

	memcpy((char *)attributes + offset, &address, sizeof address);
	return 0;
}

int stave_set_subreaper(int value)
{
	return prctl(PR_SET_CHILD_SUBREAPER, value, 0, 0, 0) ? -errno : 0;
}

int stave_unmount(const char *path)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
	char link[32];
	int result;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	/* Of a shared tree the mounts in it would be unmounted where it was bound from as well. */
	result = mount(NULL, link, NULL, MS_PRIVATE | MS_REC, NULL) || umount2(link, MNT_DETACH) ? -errno : 0;
	close(fd);
	return result;
}

int stave_namespace_type(int descriptor)
{
	int type = ioctl(descriptor, NS_GET_NSTYPE);

	return type < 0 ? -errno : type;
}

struct spawned {
	const char *path;
	char *const *arguments;
	char *const *environment;
	int input, output;
	const char *directory;
	int error;
};

static int run_spawned(void *data)
{
	struct spawned *child = data;
	struct sigaction action = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chdir(child->directory) == 0 && dup2(child->input, 0) == 0 && dup2(child->output, 1) == 1 && dup2(child->output, 2) == 2 &&
	    syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		execve(child->path, child->arguments, child->environment);
	child->error = -errno;
	_exit(127);
}

int stave_spawn(const char *path, char *const *arguments, char *const *environment, int input,
		int output, const char *directory)
{
	struct spawned child = {path, arguments, environment, input, output, directory, 0};

	return clone_until_exec(run_spawned, &child, &child.error, 0);
}

int stave_abi(void)
{
	return OPERATION_COUNT;
}
