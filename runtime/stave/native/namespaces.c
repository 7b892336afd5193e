/* Entering, leaving and naming namespaces. */
#include "interpreter.h"

#include <asm/ioctls.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/sockios.h>

#define AF_UNIX_ 1
#define SOCK_DGRAM_ 2

int op_set_dumpable(struct interpreter *interpreter)
{
	STEP(interpreter, "prctl PR_SET_DUMPABLE", NULL);
	return (int)SYS5(__NR_prctl, PR_SET_DUMPABLE, number(interpreter, 0), 0, 0, 0);
}

/* "0" is the writer itself. Moved by the runtime instead, the kernel would have to keep every process of the
 * machine from forking meanwhile, which takes it ten milliseconds and more (cgroup_threadgroup_rwsem). */
int op_join_cgroup(struct interpreter *interpreter)
{
	OWNED fd = -1;

	STEP(interpreter, "join cgroup", text(interpreter, 0));
	fd = open_plain(AT_FDCWD, text(interpreter, 0), O_WRONLY);
	CHECK(fd);
	return write_all(fd, "0", 1);
}

int op_setns(struct interpreter *interpreter)
{
	STEP(interpreter, "setns", NULL);
	return (int)SYS2(__NR_setns, number(interpreter, 0), number(interpreter, 1));
}

int op_unshare(struct interpreter *interpreter)
{
	STEP(interpreter, "unshare", NULL);
	return (int)SYS1(__NR_unshare, number(interpreter, 0));
}

/* A sibling, not a child (CLONE_PARENT): the container's process must be a child of whoever called the
 * runtime, and this process leaves at once. */
int op_fork(struct interpreter *interpreter)
{
	long pid;

	STEP(interpreter, "clone", NULL);
	pid = SYS5(__NR_clone, CLONE_PARENT, 0, 0, 0, 0);
	CHECK(pid);
	if (pid == 0)
		return wait_for_go(interpreter);
	CHECK(send_message(interpreter, MESSAGE_FORKED, 0, (int)pid, -1, ""));
	SYS1(__NR_exit_group, 0);
	__builtin_unreachable();
}

int op_wait_for_runtime(struct interpreter *interpreter)
{
	report_times(interpreter);
	CHECK(send_message(interpreter, MESSAGE_WAITING, 0, 0, -1, ""));
	return wait_for_go(interpreter);
}

int op_write_time_offsets(struct interpreter *interpreter)
{
	const char *offsets = text(interpreter, 0);
	OWNED fd = -1;

	STEP(interpreter, "write", "/proc/self/timens_offsets");
	fd = open_plain(AT_FDCWD, "/proc/self/timens_offsets", O_WRONLY);
	CHECK(fd);
	if (file_system_type(fd) != PROC_SUPER_MAGIC)
		return -EXDEV;
	return write_all(fd, offsets, text_length(offsets));
}

int op_raise_loopback(struct interpreter *interpreter)
{
	struct ifreq request = {.ifr_name = "lo"};
	OWNED fd = -1;

	STEP(interpreter, "raise the loopback device", NULL);
	/* Any socket serves to name a device; a kernel without IPv4 still has these. */
	fd = (int)SYS3(__NR_socket, AF_UNIX_, SOCK_DGRAM_ | O_CLOEXEC, 0);
	CHECK(fd);
	CHECK(SYS3(__NR_ioctl, fd, SIOCGIFFLAGS, &request));
	request.ifr_flags |= IFF_UP;
	return (int)SYS3(__NR_ioctl, fd, SIOCSIFFLAGS, &request);
}

int op_set_hostname(struct interpreter *interpreter)
{
	const char *name = text(interpreter, 0);

	STEP(interpreter, "sethostname", name);
	return (int)SYS2(__NR_sethostname, name, text_length(name));
}

int op_set_domainname(struct interpreter *interpreter)
{
	const char *name = text(interpreter, 0);

	STEP(interpreter, "setdomainname", name);
	return (int)SYS2(__NR_setdomainname, name, text_length(name));
}

/* /proc/sys shows the caller's namespaces, so the host's procfs, which nobody in the container can have
 * prepared, serves best. Inside another container it may be read-only; then the container's own does,
 * if it really is one and nothing is mounted over the file. */
int op_write_sysctl(struct interpreter *interpreter)
{
	const char *key = text(interpreter, 0), *value = text(interpreter, 1);
	uint64_t resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_BENEATH;
	OWNED sys = -1;
	OWNED fd = -1;

	STEP(interpreter, "write /proc/sys/", key);
	if (interpreter->proc >= 0) {
		sys = open_plain(interpreter->proc, "sys", O_PATH | O_DIRECTORY | O_NOFOLLOW);
		CHECK(sys);
		fd = open_at(sys, key, O_WRONLY, resolve & ~(uint64_t)RESOLVE_NO_XDEV);
	}
	if (fd == -EROFS || interpreter->proc < 0) {
		close_descriptor(KEEP(sys));
		sys = path_in_root(interpreter, "/proc/sys", PATH_NO_SYMLINKS, NULL);
		CHECK(sys);
		if (file_system_type(sys) != PROC_SUPER_MAGIC)
			return -EXDEV;
		fd = open_at(sys, key, O_WRONLY, resolve);
	}
	CHECK(fd);
	return write_all(fd, value, text_length(value));
}

int op_join_keyring(struct interpreter *interpreter)
{
	const char *name = text(interpreter, 0);
	long error;

	STEP(interpreter, "keyctl join session keyring", name);
	error = SYS2(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	/* Kernels without keyrings, and outer containers whose filter hides them, do without. */
	return error == -ENOSYS || error == -EPERM || error > 0 ? 0 : (int)error;
}

int op_set_personality(struct interpreter *interpreter)
{
	STEP(interpreter, "personality", NULL);
	return (int)SYS1(__NR_personality, number(interpreter, 0));
}

int op_set_memory_policy(struct interpreter *interpreter)
{
	uint32_t bytes = 0;
	const void *nodes = program_bytes(&interpreter->program, interpreter->operation, 1, &bytes);

	STEP(interpreter, "set_mempolicy", NULL);
	/* The kernel takes one bit less than it is told. */
	return (int)SYS3(__NR_set_mempolicy, number(interpreter, 0), nodes, nodes ? bytes * 8ul + 1 : 0);
}
