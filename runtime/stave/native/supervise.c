/* The foreground: what `stave run` and `stave exec` do while the container's process lives. */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define MESSAGES_MAX 1024 /* more than a socket holds: net.unix.max_dgram_qlen */

/* One direction of the terminal: bytes read but not yet taken by the other side. Bounded, so that a
 * writer nobody reads from is slowed down and not remembered. */
struct flow {
	int from, to;
	size_t held;
	char data[16384];
};

static void flow_read(struct flow *flow)
{
	ssize_t length = read(flow->from, flow->data + flow->held, sizeof flow->data - flow->held);

	if (length > 0)
		flow->held += (size_t)length;
	else if (length == 0 || (errno != EAGAIN && errno != EINTR))
		flow->from = -1;
}

static void flow_write(struct flow *flow)
{
	ssize_t length = write(flow->to, flow->data, flow->held);

	if (length > 0) {
		memmove(flow->data, flow->data + length, flow->held - (size_t)length);
		flow->held -= (size_t)length;
	} else if (length < 0 && errno != EAGAIN && errno != EINTR) {
		flow->from = -1;
		flow->held = 0;
	}
}

static void pass_size(int master)
{
	struct winsize size;

	if (ioctl(0, TIOCGWINSZ, &size) == 0)
		ioctl(master, TIOCSWINSZ, &size);
}

static void take_signal(int signals, int pid, int master)
{
	struct signalfd_siginfo info;

	if (read(signals, &info, sizeof info) != sizeof info)
		return;
	if (info.ssi_signo == SIGWINCH && master >= 0)
		pass_size(master);
	else if (info.ssi_signo != SIGCHLD)
		kill(pid, (int)info.ssi_signo);
}

/* Collects what has ended: as a subreaper this process gets the container's orphans too. 1 if pid is among
 * them. */
static int has_ended(int pid, int *status)
{
	int ended, child_status;

	while ((ended = waitpid(-1, &child_status, WNOHANG)) > 0)
		if (ended == pid) {
			*status = child_status;
			return 1;
		}
	return 0;
}

/* Passes on the line that says READY, and nothing else: the rest is about the container's own processes. Returns
 * whether there was one. */
static int pass_ready(int from, int to)
{
	char message[4096];
	ssize_t length = recv(from, message, sizeof message - 1, MSG_DONTWAIT);

	if (length < 0)
		return 0;
	message[length] = 0;
	for (char *line = message, *rest = message; (line = strsep(&rest, "\n"));)
		if (strncmp(line, "READY=", 6) == 0) {
			send(to, line, strlen(line), MSG_NOSIGNAL);
			return 1;
		}
	return 0;
}

static int wait_loop(int signals, int pid, int master, int ready_from, int ready_to)
{
	struct flow input = {.from = master < 0 ? -1 : 0, .to = master};
	struct flow output = {.from = master, .to = 1};
	int status = 0;

	while (!has_ended(pid, &status)) {
		struct pollfd waits[] = {
		    {signals, POLLIN, 0},
		    {input.held < sizeof input.data ? input.from : -1, POLLIN, 0},
		    {output.held < sizeof output.data ? output.from : -1, POLLIN, 0},
		    {input.held ? master : -1, POLLOUT, 0},
		    {output.held ? 1 : -1, POLLOUT, 0},
		    {ready_from, POLLIN, 0},
		};

		if (poll(waits, 6, -1) < 0 && errno != EINTR)
			return -errno;
		if (waits[1].revents)
			flow_read(&input);
		if (waits[2].revents)
			flow_read(&output);
		if (waits[3].revents)
			flow_write(&input);
		if (waits[4].revents)
			flow_write(&output);
		if (waits[5].revents && pass_ready(ready_from, ready_to))
			ready_from = -1;
		if (waits[0].revents)
			take_signal(signals, pid, master);
	}
	/* Also that it was ready, just before its end; but not for ever, as a process that is left may go on sending. */
	for (int messages = 0; ready_from >= 0 && messages < MESSAGES_MAX; messages++)
		if (pass_ready(ready_from, ready_to))
			break;
	/* What the program wrote last is still in the terminal; what its children may yet write is not waited for. */
	while (output.held || output.from >= 0) {
		struct pollfd rest = {output.from, POLLIN, 0};

		if (output.held)
			flow_write(&output);
		else if (poll(&rest, 1, 0) > 0)
			flow_read(&output);
		else
			break;
	}
	return status;
}

int stave_supervise(int pid, int master, int ready_from, int ready_to)
{
	struct termios before, raw;
	sigset_t all, mask;
	int signals, status, is_terminal = 0;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &mask);
	signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	if (master >= 0) {
		fcntl(master, F_SETFL, O_NONBLOCK);
		is_terminal = tcgetattr(0, &before) == 0;
		if (is_terminal) {
			pass_size(master);
			raw = before;
			cfmakeraw(&raw);
			tcsetattr(0, TCSANOW, &raw);
		}
	}
	status = wait_loop(signals, pid, master, ready_from, ready_to);
	if (is_terminal)
		tcsetattr(0, TCSANOW, &before);
	close(signals);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	return status;
}
