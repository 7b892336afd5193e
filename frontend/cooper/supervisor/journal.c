/* The container's log in systemd's journal: one datagram for each line, in the form of the journal's native protocol
 * (systemd.io/JOURNAL_NATIVE_PROTOCOL), with the fields that docker's and podman's driver of this name write. */
#include <endian.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "supervisor.h"

static int journal = -1;
static bool stalled; /* the last line was lost: for the next nobody waits */

void journal_open(void)
{
	/* A journal that is busy is waited for, and the container with it; one that hangs is not. */
	struct timeval patience = {.tv_sec = 1};

	journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal < 0 || setsockopt(journal, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience))
		fail("a socket for the journal");
}

static struct iovec text(const char *value)
{
	return (struct iovec){(void *)value, strlen(value)};
}

static void send_line(const char *stream, const char *line, size_t length, bool partial)
{
	struct sockaddr_un address = {AF_UNIX, "/run/systemd/journal/socket"};
	uint64_t size = htole64(length);
	struct iovec parts[] = {
	    text(settings.journal),
	    text(strcmp(stream, "stderr") ? "PRIORITY=6\n" : "PRIORITY=3\n"),
	    text(partial ? "CONTAINER_PARTIAL_MESSAGE=true\n" : ""),
	    text("MESSAGE\n"),
	    {&size, sizeof size},
	    {(void *)line, length},
	    text("\n"),
	};
	struct msghdr message = {.msg_name = &address,
				 .msg_namelen = sizeof address,
				 .msg_iov = parts,
				 .msg_iovlen = sizeof parts / sizeof parts[0]};

	/* The address each time: a journal that is started anew has another socket there. */
	stalled = sendmsg(journal, &message, MSG_NOSIGNAL | (stalled ? MSG_DONTWAIT : 0)) < 0;
}

void journal_write(const char *stream, const char *data, size_t length)
{
	while (length) {
		const char *newline = memchr(data, '\n', length);
		size_t text = newline ? (size_t)(newline - data) : length;

		send_line(stream, data, text, !newline);
		data += text + !!newline;
		length -= text + !!newline;
	}
}
