/* The last steps before the user's program: directory, descriptors, executable, execve. */
#include "interpreter.h"

#include <asm/signal.h>
#include <linux/kcmp.h>
#include <linux/poll.h>
#include <linux/socket.h>

#define X_OK_ 1
#define ST_NOEXEC_ 8
#define AT_EACCESS_ 0x200
#define SFD_CLOEXEC_ O_CLOEXEC

/* getcwd(2) of a directory outside the root answers "(unreachable)...": CVE-2024-21626. */
static int check_directory(struct interpreter *interpreter)
{
	char directory[PATH_LIMIT];
	long length = SYS2(__NR_getcwd, directory, sizeof directory);

	STEP(interpreter, "the directory is not inside the root file system", NULL);
	if (length == -ERANGE)
		return 0; /* too long for the buffer, but reachable: the kernel looks at that first */
	CHECK(length);
	return directory[0] == '/' ? 0 : -EXDEV;
}

/* The user may stand in a directory that he could not have entered himself, as with runc. */
static int change_directory_as_root(const char *path)
{
	struct capability_sets sets, all;
	long error;

	CHECK(capabilities_get(&sets));
	all = sets;
	all.effective = all.permitted;
	CHECK(capabilities_set(&all));
	error = SYS1(__NR_chdir, path);
	CHECK(capabilities_set(&sets));
	return (int)error;
}

int op_change_directory(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	int error;

	STEP(interpreter, "chdir to", path);
	error = (int)SYS1(__NR_chdir, path);
	if (error == -EACCES)
		error = change_directory_as_root(path);
	CHECK(error);
	return check_directory(interpreter);
}

/* The kernel says EACCES of a missing permission and of a mount that forbids it. */
static int note_noexec(struct interpreter *interpreter, const char *path)
{
	struct statfs status;

	interpreter->note[0] = 0;
	if (SYS2(__NR_statfs, path, &status) == 0 && status.f_flags & ST_NOEXEC_)
		text_append(interpreter->note, sizeof interpreter->note, "its file system is mounted noexec");
	return -EACCES;
}

static int check_executable(struct interpreter *interpreter, const char *path)
{
	struct statx status;
	long error = SYS4(__NR_faccessat2, AT_FDCWD, path, X_OK_, AT_EACCESS_);

	if (error == -ENOSYS)
		error = SYS3(__NR_faccessat, AT_FDCWD, path, X_OK_);
	if (error == -EACCES)
		return note_noexec(interpreter, path);
	CHECK(error);
	CHECK(SYS5(__NR_statx, AT_FDCWD, path, 0, STATX_BASIC_STATS, &status));
	return S_TYPE(status.stx_mode) == S_DIRECTORY ? -EISDIR : 0;
}

static int has_slash(const char *name)
{
	while (*name && *name != '/')
		name++;
	return *name == '/';
}

int op_find_executable(struct interpreter *interpreter)
{
	const char *name = text(interpreter, 0), *at = text(interpreter, 1);
	char *path = interpreter->executable;
	const size_t size = sizeof interpreter->executable;
	int found = -ENOENT;

	STEP(interpreter, "find", name);
	path[0] = 0;
	if (has_slash(name)) {
		text_append(path, size, name);
		return text_length(name) < size ? check_executable(interpreter, path) : -ENAMETOOLONG;
	}
	while (at && *at) {
		size_t length = 0;
		int error;

		while (at[length] && at[length] != ':')
			length++;
		if (length + text_length(name) + 3 > size)
			return -ENAMETOOLONG;
		__builtin_memcpy(path, at, length);
		path[length] = 0;
		/* An empty entry is the current directory. */
		text_append(path, size, length ? "/" : "./");
		text_append(path, size, name);
		error = check_executable(interpreter, path);
		if (error == 0)
			return 0;
		if (error == -EACCES)
			found = error;
		at += length + (at[length] == ':');
	}
	return found;
}

static void close_between(unsigned first, unsigned last)
{
	if (first <= last)
		SYS3(__NR_close_range, first, last, 0);
}

/* Nothing of the host's stays open while the container waits for `start`; what is left for that
 * (two sockets, and files of this process's own /proc/self/attr) closes itself at execve. */
int op_close_descriptors(struct interpreter *interpreter)
{
	int kept[] = {interpreter->control, interpreter->listener, interpreter->labels[0],
		      interpreter->labels[1], interpreter->labels[2]};
	unsigned first = 3u + (unsigned)number(interpreter, 0);

	for (;;) {
		unsigned next = ~0u;

		for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++)
			if (kept[i] >= 0 && (unsigned)kept[i] >= first && (unsigned)kept[i] < next)
				next = (unsigned)kept[i];
		if (next == ~0u)
			break;
		close_between(first, next - 1);
		first = next + 1;
	}
	close_between(first, ~0u);
	interpreter->root = interpreter->proc = interpreter->null_mount = interpreter->empty_mount = -1;
	return 0;
}

/* PID 1 of a PID namespace is deaf to signals that it has no handler for, so that `kill ID TERM` would do
 * nothing to a created container. The signals that end a process are taken from a signalfd instead. */
static uint64_t ending_signals(void)
{
	static const unsigned char signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM,
						SIGUSR1, SIGUSR2, SIGALRM, SIGPIPE};
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof signals; i++)
		set |= 1ull << (signals[i] - 1);
	return set;
}

static int accept_start(struct interpreter *interpreter)
{
	uint64_t set = ending_signals(), none = 0;
	OWNED signals = -1;
	int connection;

	CHECK(SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof set));
	signals = (int)SYS4(__NR_signalfd4, -1, &set, sizeof set, SFD_CLOEXEC_);
	CHECK(signals);
	struct pollfd waits[2] = {{interpreter->listener, POLLIN, 0}, {signals, POLLIN, 0}};
	for (;;) {
		CHECK(RETRY(SYS5(__NR_ppoll, waits, 2, NULL, NULL, 0)));
		if (waits[1].revents) {
			uint32_t signal[32] = {0}; /* struct signalfd_siginfo: the number comes first */

			SYS3(__NR_read, signals, signal, sizeof signal);
			SYS1(__NR_exit_group, 128 + signal[0]);
		}
		connection = (int)SYS4(__NR_accept4, interpreter->listener, NULL, NULL, O_CLOEXEC);
		if (connection == -ECONNABORTED || connection == -EINTR)
			continue;
		CHECK(connection);
		interpreter->control = connection;
		/* A `start` that died before it could say go leaves the container as it was. */
		if (wait_for_go(interpreter) == 0)
			break;
		close_descriptor(connection);
		interpreter->control = -1;
	}
	return (int)SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

int op_wait_for_start(struct interpreter *interpreter)
{
	STEP(interpreter, "wait for start", NULL);
	interpreter->listener = (int)number(interpreter, 0);
	report_times(interpreter);
	CHECK(send_message(interpreter, MESSAGE_WAITING, 0, 0, -1, ""));
	close_descriptor(interpreter->control);
	interpreter->control = -1;
	CHECK(accept_start(interpreter));
	close_descriptor(interpreter->listener);
	interpreter->listener = -1;
	return 0;
}

static int is_decimal(const char *at, size_t length, uint64_t value)
{
	uint64_t parsed = 0;

	for (size_t i = 0; i < length; i++) {
		if (at[i] < '0' || at[i] > '9' || length > 10)
			return 0;
		parsed = parsed * 10 + (uint64_t)(at[i] - '0');
	}
	return length && parsed == value;
}

/* The home directory of `uid` in one line of passwd(5): name:password:uid:gid:comment:home:shell. */
static int home_in_line(const char *line, size_t length, uint64_t uid, char *home, size_t size)
{
	size_t start[7] = {0}, fields = 1;

	for (size_t i = 0; i < length && fields < 7; i++)
		if (line[i] == ':')
			start[fields++] = i + 1;
	if (fields < 7 || !is_decimal(line + start[2], start[3] - start[2] - 1, uid))
		return 0;
	length = start[6] - start[5] - 1;
	if (length == 0 || length >= size)
		return 0;
	__builtin_memcpy(home, line + start[5], length);
	home[length] = 0;
	return 1;
}

/* As runc does: HOME from the container's own /etc/passwd, "/" if that has no such user. */
static void find_home(char *home, size_t size)
{
	static char data[65536];
	uint64_t uid = (uint64_t)SYS0(__NR_geteuid);
	size_t held = 0, start = 0;
	OWNED fd = open_plain(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY);

	home[0] = 0;
	while (fd >= 0 && held < sizeof data) {
		long length = RETRY(SYS3(__NR_read, fd, data + held, sizeof data - held));

		if (length <= 0)
			break;
		held += (size_t)length;
	}
	for (size_t i = 0; i < held; i++)
		if (data[i] == '\n') {
			if (home_in_line(data + start, i - start, uid, home, size))
				return;
			start = i + 1;
		}
	text_append(home, size, "/");
}

int op_find_home(struct interpreter *interpreter)
{
	text_append(interpreter->home, sizeof interpreter->home, "HOME=");
	find_home(interpreter->home + 5, sizeof interpreter->home - 5);
	return 0;
}

int op_lower_rlimit(struct interpreter *interpreter)
{
	struct {
		uint64_t soft, hard;
	} limit = {(uint64_t)number(interpreter, 1), (uint64_t)number(interpreter, 2)};

	STEP(interpreter, "prlimit", NULL);
	return (int)SYS4(__NR_prlimit64, 0, number(interpreter, 0), &limit, NULL);
}

int op_execute(struct interpreter *interpreter)
{
	const struct program *program = &interpreter->program;
	const struct program_operation *operation = interpreter->operation;
	uint32_t arguments_count = program_list_length(program, operation, 0);
	uint32_t variables = program_list_length(program, operation, 1);
	char **lists = memory_map((arguments_count + variables + 3ul) * sizeof *lists);
	char **arguments = lists, **environment = lists + arguments_count + 1;
	int error;
	OWNED diagnosis = -1;

	if (!lists)
		return -ENOMEM;
	for (uint32_t i = 0; i < arguments_count; i++)
		arguments[i] = (char *)(uintptr_t)program_list_item(program, operation, 0, i);
	for (uint32_t i = 0; i < variables; i++)
		environment[i] = (char *)(uintptr_t)program_list_item(program, operation, 1, i);
	if (interpreter->home[0])
		environment[variables] = interpreter->home;
	report_times(interpreter);
	STEP(interpreter, "execute", interpreter->executable);
	error = (int)SYS3(__NR_execve, interpreter->executable, arguments, environment);
	/* The runtime looks into the file for the reason: a missing interpreter, another machine's program. */
	diagnosis = open_plain(AT_FDCWD, interpreter->executable, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	report_failure(interpreter, error, diagnosis);
	SYS1(__NR_exit_group, 127);
	__builtin_unreachable();
}
