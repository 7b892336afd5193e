/* Commands of the runtime, and the container's processes: all are children of this process, a subreaper. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

#define CHILDREN_MAX 64
#define UNKNOWN_MAX 256

static struct child {
	pid_t pid;
	bool command; /* of the runtime; otherwise a process of the container */
	ended callback;
	void *context;
} children[CHILDREN_MAX];
static struct watch signals = {.fd = -1};
/* Orphans that ended before the command that left them did: it says which one is to be adopted. */
static struct {
	pid_t pid;
	int status;
} unknown[UNKNOWN_MAX];
static size_t unknown_count;
static int expecting; /* commands that leave an orphan */

extern char **environ;

static void signalled(struct watch *watch, uint32_t events);

static void enter(struct child child)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (!children[i].pid) {
			children[i] = child;
			return;
		}
	kill(child.pid, SIGKILL);
}

void child_adopt(pid_t pid, ended callback, void *context)
{
	enter((struct child){pid, false, callback, context});
}

size_t children_commands(void)
{
	size_t count = 0;

	for (size_t i = 0; i < CHILDREN_MAX; i++)
		count += children[i].pid && children[i].command;
	return count;
}

void children_kill_commands(void)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i].pid && children[i].command)
			kill(children[i].pid, SIGKILL);
}

/* Streams are descriptors, or -1 for /dev/null. Returns 0 if the program cannot be run. */
pid_t child_start(char *const *arguments, const int streams[3], ended callback, void *context)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, ignored;
	pid_t pid = 0;

	/* There is always room for the container and for a check of its health. */
	if (children_commands() >= CHILDREN_MAX - 2)
		return 0;
	/* What this process blocks and ignores, the container must not. */
	sigemptyset(&none);
	sigemptyset(&ignored);
	sigaddset(&ignored, SIGPIPE);
	sigaddset(&ignored, SIGXFSZ); /* inherited from the interpreter that started this */
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &ignored);
	posix_spawn_file_actions_init(&actions);
	for (int i = 0; i < 3; i++) {
		if (streams[i] < 0)
			posix_spawn_file_actions_addopen(&actions, i, "/dev/null", i ? O_WRONLY : O_RDONLY, 0);
		else
			posix_spawn_file_actions_adddup2(&actions, streams[i], i);
	}
	if (posix_spawn(&pid, arguments[0], &actions, &attributes, arguments, environ))
		pid = 0;
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	if (pid)
		enter((struct child){pid, true, callback, context});
	return pid;
}

static bool call_back(pid_t pid, int status)
{
	for (size_t i = 0; i < CHILDREN_MAX; i++)
		if (children[i].pid == pid) {
			children[i].pid = 0;
			children[i].callback(status, children[i].context);
			return true;
		}
	return false;
}

/* Everything is reaped at once: a PID namespace does not end before its last process is. */
static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!call_back(pid, status) && expecting) {
			unknown[unknown_count % UNKNOWN_MAX].pid = pid;
			unknown[unknown_count++ % UNKNOWN_MAX].status = status;
		}
}

void children_expect(bool orphan)
{
	size_t count = unknown_count < UNKNOWN_MAX ? unknown_count : UNKNOWN_MAX;

	expecting += orphan ? 1 : -1;
	for (size_t i = 0; !orphan && i < count; i++)
		if (unknown[i].pid && call_back(unknown[i].pid, unknown[i].status))
			unknown[i].pid = 0;
	if (!expecting)
		unknown_count = 0;
}

static void signalled(struct watch *watch, uint32_t events)
{
	struct signalfd_siginfo info;

	(void)events;
	while (read(watch->fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGTERM)
			life_stop(settings.stop_signal, settings.stop_seconds);
	reap();
	life_command_ended();
}

void children_watch(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	/* A terminal that the first client has means others. */
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	signals.ready = signalled;
	if (signals.fd < 0)
		fail("signalfd");
	loop_add(&signals, EPOLLIN);
}

/* As a shell counts: the exit status, or 128 and the signal. */
int exit_status(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
