/* libFuzzer's entry: what the runtime may be sent, and what stave-init may be sent, packet by packet. The first
 * byte of each packet says how long it is and whether a descriptor comes along. */
#define _GNU_SOURCE
#include "launch.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The interpreter's header and the C library's do not go together: see wait_for_go.c. */
int wait_on(int control, unsigned program_count);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void send_packet(int socket, const unsigned char *data, size_t length, int descriptor)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec part = {(void *)(uintptr_t)data, length};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (descriptor >= 0) {
		header.msg_control = control.space;
		header.msg_controllen = sizeof control.space;
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &descriptor, sizeof descriptor);
	}
	EXPECT(sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN);
}

static void send_all(int socket, const unsigned char *data, size_t size)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (size_t at = 0, packets = 0; at < size && packets < 40; packets++) {
		size_t length = data[at] & 0x7f;
		int with_descriptor = data[at] & 0x80;

		at++;
		if (length > size - at)
			length = size - at;
		/* A packet of nothing would be the end of the file. */
		if (length)
			send_packet(socket, data + at, length, with_descriptor ? null : -1);
		at += length;
	}
	close(null);
	close(socket);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	int ends[2], descriptor, length;
	struct message message;

	EXPECT_NUMBER(stave_socket_pair(ends), 0);
	send_all(ends[1], data, size);
	while ((length = stave_receive(ends[0], &message, &descriptor)) > 0 || length == -EPROTO) {
		EXPECT(memchr(message.detail, 0, sizeof message.detail));
		if (descriptor >= 0)
			EXPECT_NUMBER(close(descriptor), 0);
	}
	EXPECT_NUMBER(length, 0);
	close(ends[0]);

	EXPECT_NUMBER(stave_socket_pair(ends), 0);
	send_all(ends[1], data, size);
	EXPECT(wait_on(ends[0], 3) <= 0);
	close(ends[0]);
	return 0;
}
