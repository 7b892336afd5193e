/* Clients: commands that attach, stop, wait. Each has a socket of packets; supervisor.h lists them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "supervisor.h"

#define CLIENTS_MAX 64
/* What has been told: the started, failed, exited and finished packets. */
#define TOLD_STARTED 1
#define TOLD_FAILED 2
#define TOLD_EXITED 4
#define TOLD_FINISHED 8

static struct client {
	struct watch watch;
	unsigned wants, told;
	unsigned owed; /* bit per stream: its chunk has not been taken */
	bool behind;   /* something was not told for want of room */
} clients[CLIENTS_MAX];

static void client_ready(struct watch *watch, uint32_t events);
static void listener_ready(struct watch *watch, uint32_t events);
static struct watch listener = {-1, listener_ready};
/* Input that the container had no room for; no client is read meanwhile. */
static char waiting[CHUNK + 1];
static size_t waiting_length;
static bool input_full;

static void watch_for(struct client *client)
{
	bool read = !(input_full && client->wants & WANTS_INPUT);

	loop_change(&client->watch, (read ? EPOLLIN : 0) | (client->behind ? EPOLLOUT : 0));
}

static void unblock_streams(unsigned owed)
{
	for (unsigned stream = 0; stream < 2; stream++)
		if (owed >> stream & 1 && !clients_blocked(stream))
			stream_unblocked(stream);
}

static void drop(struct client *client)
{
	unsigned wants = client->wants, owed = client->owed;

	client->wants = client->owed = 0;
	loop_remove(&client->watch);
	if (wants & WANTS_INPUT && settings.input_once)
		input_end();
	if (wants && settings.hang_up)
		streams_hang_up();
	unblock_streams(owed);
	if (wants & IS_CARETAKER)
		life_done(false);
}

/* True: it is with the kernel. False: there is no room, or the client has gone, and then was dropped. */
static bool send_packet(struct client *client, const char *packet, size_t length)
{
	if (send(client->watch.fd, packet, length, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
		return true;
	if (errno != EAGAIN && errno != ENOBUFS)
		shutdown(client->watch.fd, SHUT_RDWR); /* its descriptor is ready then, and it is dropped from the loop */
	return false;
}

static bool tell(struct client *client, unsigned what, const char *packet, size_t length)
{
	if (client->told & what)
		return true;
	if (!send_packet(client, packet, length))
		return false;
	client->told |= what;
	return true;
}

/* Sends what the client lacks, in order; false if it has no room for it now. */
static bool catch_up(struct client *client)
{
	char packet[TEXT_MAX + 1];
	size_t length;

	if (life.pid && !tell(client, TOLD_STARTED, packet, (size_t)snprintf(packet, sizeof packet, "S%d", (int)life.pid)))
		return false;
	for (unsigned stream = 0; stream < 2; stream++) {
		if (!(client->owed >> stream & 1))
			continue;
		const char *chunk = stream_chunk(stream, &length);

		if (!send_packet(client, chunk, length))
			return false;
		client->owed &= ~(1U << stream);
	}
	if (life.state == FAILED) {
		packet[0] = TELL_FAILED;
		memcpy(packet + 1, life.failure, life.failure_length);
		return tell(client, TOLD_FAILED, packet, life.failure_length + 1);
	}
	if (life.status < 0)
		return true;
	length = (size_t)snprintf(packet, sizeof packet, "X%d %d", life.status, life.oom);
	if (!tell(client, TOLD_EXITED, packet, length))
		return false;
	return life.state != FINISHED || tell(client, TOLD_FINISHED, "Z", 1);
}

static void bring_up_to_date(struct client *client)
{
	unsigned owed = client->owed;

	client->behind = !catch_up(client);
	watch_for(client);
	unblock_streams(owed & ~client->owed);
}

void clients_tell(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (clients[i].watch.fd < 0)
			continue;
		/* A container that was started again has another end before it. */
		if (life.status < 0)
			clients[i].told &= ~(unsigned)TOLD_EXITED;
		bring_up_to_date(&clients[i]);
	}
}

void clients_send(unsigned stream)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0 && clients[i].wants & WANTS_NEWS)
			send_packet(&clients[i], "L", 1);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0 && clients[i].wants & WANTS_OUTPUT) {
			clients[i].owed |= 1U << stream;
			bring_up_to_date(&clients[i]);
		}
}

bool clients_blocked(unsigned stream)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0 && clients[i].owed >> stream & 1)
			return true;
	return false;
}

void clients_drop_blocked(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0 && clients[i].owed)
			drop(&clients[i]);
}

bool clients_caretaker(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0 && clients[i].wants & IS_CARETAKER)
			return true;
	return false;
}

void clients_answer(int number, const char *complaint)
{
	char packet[TEXT_MAX];

	if (number >= 0 && clients[number].watch.fd >= 0)
		send_packet(&clients[number], packet, (size_t)snprintf(packet, sizeof packet, "K%s", complaint));
}

static void watch_all(void)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (clients[i].watch.fd >= 0)
			watch_for(&clients[i]);
}

static void take_input(const char *data, size_t length)
{
	size_t taken = input_write(data, length);

	if (taken == length)
		return;
	memmove(waiting, data + taken, length - taken);
	waiting_length = length - taken;
	input_full = true;
	watch_all();
}

void clients_input_ready(void)
{
	if (!input_full)
		return;
	input_full = false;
	take_input(waiting, waiting_length);
	if (!input_full)
		watch_all();
}

static void answer(struct client *client, char *packet, size_t length)
{
	char *text = packet + 1, *number = strchr(text, ' ');

	switch (packet[0]) {
	case ASK_ATTACH:
		client->wants = (unsigned char)text[0];
		bring_up_to_date(client);
		break;
	case ASK_INPUT:
		take_input(text, length - 1);
		break;
	case ASK_END:
		input_end();
		break;
	case ASK_RESIZE:
		if (number)
			streams_resize((unsigned)strtoul(text, NULL, 10), (unsigned)strtoul(number, NULL, 10));
		break;
	case ASK_STOP:
		if (number) {
			*number++ = 0;
			life_stop(text, strtol(number, NULL, 10));
		}
		break;
	case ASK_KILL:
		command_kill(text, (int)(client - clients));
		break;
	case ASK_PAUSE:
		command_pause(text[0] == '1', (int)(client - clients));
		break;
	case ASK_POLICY:
		if (number) {
			*number++ = 0;
			life_policy(text, strtol(number, NULL, 10));
		}
		break;
	case ASK_LEAVE:
		settings.hang_up = false;
		break;
	case ASK_DONE:
		life_done(true);
		break;
	}
}

static void client_ready(struct watch *watch, uint32_t events)
{
	static char packet[CHUNK + 2];
	struct client *client = (struct client *)watch;
	ssize_t length;

	if (events & EPOLLOUT)
		bring_up_to_date(client);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || watch->fd < 0)
		return;
	if (input_full && client->wants & WANTS_INPUT) { /* it is not read now, but it may have gone */
		if (events & (EPOLLHUP | EPOLLERR))
			drop(client);
		return;
	}
	length = recv(watch->fd, packet, CHUNK + 1, MSG_DONTWAIT);
	if (length < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (length <= 0)
		return drop(client);
	packet[length] = 0;
	answer(client, packet, (size_t)length);
}

static struct client *add(int fd)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		if (clients[i].watch.fd >= 0)
			continue;
		clients[i] = (struct client){.watch = {fd, client_ready}};
		loop_add(&clients[i].watch, EPOLLIN);
		return &clients[i];
	}
	close(fd);
	return NULL;
}

static struct client *take_client(void)
{
	int fd = accept4(listener.fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *client = fd < 0 ? NULL : add(fd);

	if (client)
		bring_up_to_date(client);
	return client;
}

static void listener_ready(struct watch *watch, uint32_t events)
{
	(void)watch;
	(void)events;
	take_client();
}

void clients_listen(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	for (size_t i = 0; i < CLIENTS_MAX; i++)
		clients[i].watch.fd = -1;
	file_remove("control");
	/* Through the descriptor: a run directory's path may be longer than an address holds. */
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/control", run_directory);
	listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (listener.fd < 0 || bind(listener.fd, (struct sockaddr *)&address, sizeof address) || listen(listener.fd, 16))
		fail("listen on the control socket");
	loop_add(&listener, EPOLLIN);
}

/* Whoever has connected by now is told how it ended, and may have asked to clean up. */
void clients_unlisten(void)
{
	struct client *client;

	file_remove("control");
	while ((client = take_client()))
		client_ready(&client->watch, EPOLLIN);
	loop_remove(&listener);
}

/* What the first client has asked for already counts from the beginning. */
void clients_first(int fd)
{
	struct client *client;

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	client = add(fd);
	if (client)
		client_ready(&client->watch, EPOLLIN);
}
