/* The container's standard streams: pipes, or the master of its terminal.
 *
 * Each stream has one chunk. It is read, logged and sent to every client that wants output; while a client has no room
 * for it the stream is not read any further, so the container waits, nothing is lost and nothing grows.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "supervisor.h"

#define PIECES_MAX 64 /* chunks: more than any pipe holds */

static void output_ready(struct watch *watch, uint32_t events);

static struct stream {
	struct watch watch;
	const char *name;
	char type;
	bool stopped; /* a client is to take the chunk first */
	size_t length;
	char chunk[CHUNK + 1]; /* the packet: the type, then the data */
} streams[2] = {
    {.watch = {-1, output_ready}, .name = "stdout", .type = TELL_OUTPUT},
    {.watch = {-1, output_ready}, .name = "stderr", .type = TELL_ERROR},
};
static void console_ready(struct watch *watch, uint32_t events);
static void input_ready(struct watch *watch, uint32_t events);
static struct watch console = {-1, console_ready};
static struct watch input = {-1, input_ready}; /* of a terminal: a second descriptor of its master */
static bool input_watched, hung_up;
static void (*drained)(void);

static void add_pipe(struct watch *own, int *child, bool writing)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC))
		fail("pipe2");
	own->fd = ends[writing];
	*child = ends[!writing];
	fcntl(own->fd, F_SETFL, O_NONBLOCK);
}

void streams_make(int child[3])
{
	child[0] = child[1] = child[2] = -1;
	drained = NULL;
	if (settings.input && !settings.terminal)
		add_pipe(&input, &child[0], true);
	if (!settings.terminal)
		add_pipe(&streams[0].watch, &child[1], false);
	/* With a terminal this holds only what the runtime complains of. */
	add_pipe(&streams[1].watch, &child[2], false);
}

static void close_all(void)
{
	for (int i = 0; i < 2; i++)
		loop_remove(&streams[i].watch);
	loop_remove(&input);
	loop_remove(&console);
	input_watched = false;
}

void streams_open(void)
{
	for (int i = 0; i < 2; i++)
		if (streams[i].watch.fd >= 0)
			loop_add(&streams[i].watch, EPOLLIN);
	if (input.fd >= 0 && !input_watched) {
		loop_add(&input, 0);
		input_watched = true;
	}
	if (hung_up)
		close_all();
}

size_t streams_complaint(char *text, size_t size)
{
	ssize_t length = read(streams[1].watch.fd, text, size);

	close_all();
	return length > 0 ? (size_t)length : 0;
}

/* Reads one chunk and passes it on. False if there is none. */
static bool pass_on(struct stream *stream)
{
	ssize_t got;

	if (stream->watch.fd < 0 || stream->stopped)
		return false;
	got = read(stream->watch.fd, stream->chunk + 1, CHUNK);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (got <= 0) { /* a terminal without its slave answers EIO */
		loop_remove(&stream->watch);
		return false;
	}
	stream->chunk[0] = stream->type;
	stream->length = (size_t)got + 1;
	log_write(stream->name, stream->chunk + 1, (size_t)got);
	clients_send((unsigned)(stream - streams));
	if (clients_blocked((unsigned)(stream - streams))) {
		stream->stopped = true;
		loop_change(&stream->watch, 0);
	}
	return true;
}

static void output_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	pass_on((struct stream *)watch);
}

const char *stream_chunk(unsigned stream, size_t *length)
{
	*length = streams[stream].length;
	return streams[stream].chunk;
}

static void go_on_draining(void)
{
	void (*done)(void) = drained;

	if (!done)
		return;
	for (int i = 0; i < 2; i++) {
		for (int pieces = 0; pieces < PIECES_MAX && pass_on(&streams[i]); pieces++)
			;
		if (streams[i].stopped)
			return;
	}
	if (drained != done) /* a client that got room has brought it to its end meanwhile */
		return;
	drained = NULL;
	close_all();
	clients_input_ready();
	done();
}

void stream_unblocked(unsigned number)
{
	struct stream *stream = &streams[number];

	if (!stream->stopped)
		return;
	stream->stopped = false;
	if (stream->watch.fd >= 0)
		loop_change(&stream->watch, EPOLLIN);
	go_on_draining();
}

/* Until there is nothing more to read; not until the end, as a process outside may hold the pipe open. Nor for ever, as
 * it may go on writing there. */
void streams_drain(void (*done)(void))
{
	drained = done;
	go_on_draining();
}

size_t input_write(const char *data, size_t length)
{
	ssize_t written;

	if (input.fd < 0)
		return length;
	written = write(input.fd, data, length);
	if (written < 0 && errno != EAGAIN) { /* nobody reads it any more */
		input_end();
		return length;
	}
	if (written < (ssize_t)length && input_watched)
		loop_change(&input, EPOLLOUT);
	return written < 0 ? 0 : (size_t)written;
}

static void input_ready(struct watch *watch, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP)) {
		loop_remove(watch);
		input_watched = false;
	} else {
		loop_change(watch, 0);
	}
	clients_input_ready();
}

void input_end(void)
{
	/* A terminal has no end of input: programs are told by its end-of-file character. */
	if (settings.terminal)
		return;
	loop_remove(&input);
	input_watched = false;
}

void streams_hang_up(void)
{
	hung_up = true;
	if (life.state != STARTING)
		close_all();
}

void streams_resize(unsigned rows, unsigned columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

	settings.rows = rows;
	settings.columns = columns;
	if (settings.terminal && streams[0].watch.fd >= 0)
		ioctl(streams[0].watch.fd, TIOCSWINSZ, &size);
}

/* The runtime connects and sends the terminal's master; the path names this process's own run directory. */
int console_listen(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (!settings.terminal)
		return 0;
	file_remove("console");
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/console", run_directory);
	console.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (console.fd < 0 || bind(console.fd, (struct sockaddr *)&address, sizeof address) || listen(console.fd, 1))
		return -1;
	loop_add(&console, EPOLLIN);
	return 0;
}

char *console_path(void)
{
	static char path[64];

	snprintf(path, sizeof path, "/proc/%d/fd/%d/console", (int)getpid(), run_directory);
	return path;
}

static void take_terminal(int master)
{
	struct stream *stream = &streams[0];

	fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
	stream->watch.fd = master;
	streams_resize((unsigned)settings.rows, (unsigned)settings.columns);
	if (settings.input) {
		input.fd = fcntl(master, F_DUPFD_CLOEXEC, 3);
		if (input.fd >= 0) {
			loop_add(&input, 0);
			input_watched = true;
		}
	}
	if (life.state != STARTING)
		loop_add(&stream->watch, EPOLLIN);
}

static void console_ready(struct watch *watch, uint32_t events)
{
	char name[256], control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {name, sizeof name};
	struct msghdr message = {
	    .msg_iov = &data, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
	int connection = accept4(watch->fd, NULL, NULL, SOCK_CLOEXEC), master = -1;

	(void)events;
	if (connection < 0)
		return;
	if (recvmsg(connection, &message, MSG_CMSG_CLOEXEC) > 0) {
		struct cmsghdr *head = CMSG_FIRSTHDR(&message);

		if (head && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS)
			memcpy(&master, CMSG_DATA(head), sizeof master);
	}
	close(connection);
	if (master < 0)
		return;
	file_remove("console");
	loop_remove(watch);
	if (streams[0].watch.fd >= 0)
		close(master);
	else
		take_terminal(master);
}
