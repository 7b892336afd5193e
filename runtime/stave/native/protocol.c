#include "interpreter.h"

#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/uio.h>

/* The kernel's own layout of struct msghdr; <sys/socket.h> belongs to the C library. */
struct kernel_msghdr {
	void *name;
	int name_length;
	struct iovec *parts;
	size_t parts_count;
	void *control;
	size_t control_length;
	unsigned flags;
};

struct descriptor_control {
	size_t length;
	int level;
	int type;
	int descriptor;
	int padding;
};

#define SOL_SOCKET_ 1
#define SCM_RIGHTS_ 1
#define MSG_NOSIGNAL_ 0x4000
#define MSG_CMSG_CLOEXEC_ 0x40000000
/* CMSG_LEN(sizeof(int)) */
#define CONTROL_LENGTH (offsetof(struct descriptor_control, padding))

static int send_data(int socket, const void *data, size_t length, int descriptor)
{
	struct iovec part = {(void *)(uintptr_t)data, length};
	struct descriptor_control control = {
	    .length = CONTROL_LENGTH, .level = SOL_SOCKET_, .type = SCM_RIGHTS_, .descriptor = descriptor};
	struct kernel_msghdr header = {.parts = &part, .parts_count = 1};
	long sent;

	if (descriptor >= 0) {
		header.control = &control;
		header.control_length = sizeof control;
	}
	sent = RETRY(SYS3(__NR_sendmsg, socket, &header, MSG_NOSIGNAL_));
	return sent < 0 ? (int)sent : 0;
}

int send_message(struct interpreter *interpreter, uint32_t type, int error, int value, int descriptor,
		 const char *detail)
{
	struct message message = {
	    .type = type, .operation = interpreter->index, .error = error, .value = value};

	text_append(message.detail, sizeof message.detail, detail);
	return send_data(interpreter->control, &message,
			 MESSAGE_HEAD + text_length(message.detail) + 1, descriptor);
}

/* A negative *descriptor: none came along. */
static long receive(int socket, struct message *message, int *descriptor)
{
	struct iovec part = {message, sizeof *message};
	struct descriptor_control control = {.length = 0};
	struct kernel_msghdr header = {
	    .parts = &part, .parts_count = 1, .control = &control, .control_length = sizeof control};
	long length = RETRY(SYS3(__NR_recvmsg, socket, &header, MSG_CMSG_CLOEXEC_));

	*descriptor = -1;
	if (length >= 0 && header.control_length >= CONTROL_LENGTH && control.level == SOL_SOCKET_ &&
	    control.type == SCM_RIGHTS_)
		*descriptor = control.descriptor;
	return length;
}

static int keep_source(struct interpreter *interpreter, int descriptor)
{
	/* No operation takes more than one. */
	uint32_t limit = interpreter->program.count;

	if (descriptor < 0)
		return -EMFILE; /* the kernel drops what it has no number for */
	if (!interpreter->sources)
		interpreter->sources = memory_map(limit * sizeof *interpreter->sources);
	if (!interpreter->sources || interpreter->sources_count == limit) {
		close_descriptor(descriptor);
		return interpreter->sources ? -EPROTO : -ENOMEM;
	}
	interpreter->sources[interpreter->sources_count++] = descriptor;
	return 0;
}

/* End of file means that the runtime is gone: so is the reason to live. */
int wait_for_go(struct interpreter *interpreter)
{
	for (;;) {
		struct message message;
		int descriptor;
		long length = receive(interpreter->control, &message, &descriptor);

		STEP(interpreter, "wait for the runtime", NULL);
		if (length < 0)
			return (int)length;
		if (length >= (long)MESSAGE_HEAD && message.type == MESSAGE_SOURCE) {
			CHECK(keep_source(interpreter, descriptor));
			continue;
		}
		close_descriptor(descriptor);
		if (length < (long)MESSAGE_HEAD || message.type != MESSAGE_GO)
			return -EPROTO;
		return 0;
	}
}

/* detail: the step, the path or value it was tried on, and a note, each ended by a newline. */
void report_failure(struct interpreter *interpreter, int error, int descriptor)
{
	struct message message = {.type = MESSAGE_FAILED,
				  .operation = interpreter->index,
				  .error = interpreter->hook_status ? 0 : -error,
				  .value = interpreter->hook_status};
	const char *parts[] = {interpreter->step, interpreter->subject, interpreter->note};

	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		/* A path may be longer than the room; the note must still follow. */
		text_append(message.detail, sizeof message.detail - 600 + i * 300,
			    parts[i] ? parts[i] : "");
		text_append(message.detail, sizeof message.detail, "\n");
	}
	report_times(interpreter);
	send_data(interpreter->control, &message, MESSAGE_HEAD + text_length(message.detail) + 1,
		  descriptor);
}

/* Sends the ends of the operations that were not reported yet. */
void report_times(struct interpreter *interpreter)
{
	static uint32_t reported;
	struct message message = {.type = MESSAGE_TRACE};

	while (interpreter->times && reported < interpreter->index) {
		uint32_t count = interpreter->index - reported;

		if (count > MESSAGE_DETAIL / 8)
			count = MESSAGE_DETAIL / 8;
		message.operation = reported;
		message.value = (int32_t)count;
		__builtin_memcpy(message.detail, interpreter->times + reported, count * 8);
		send_data(interpreter->control, &message, MESSAGE_HEAD + count * 8, -1);
		reported += count;
	}
}
