#include "output.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static bool write_all(const char *text, size_t length)
{
	struct pollfd output = {.fd = 1, .events = POLLOUT};

	while (length) {
		ssize_t written = write(1, text, length);

		if (written >= 0) {
			text += written;
			length -= (size_t)written;
		} else if (errno == EAGAIN) {
			poll(&output, 1, -1);
		} else if (errno != EINTR) {
			return false;
		}
	}
	return true;
}

bool output_write(const char *text, size_t length)
{
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	bool written = write_all(text, length);

	signal(SIGPIPE, before);
	return written;
}
