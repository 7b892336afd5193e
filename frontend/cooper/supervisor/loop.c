/* The event loop. Nothing wakes it but descriptors and timers that are due: an idle container costs no CPU. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "supervisor.h"

static int poller = -1;

void loop_start(void)
{
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (poller < 0)
		fail("epoll_create1");
}

static void control(int operation, struct watch *watch, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.ptr = watch};

	if (epoll_ctl(poller, operation, watch->fd, &event))
		fail("epoll_ctl");
}

void loop_add(struct watch *watch, uint32_t events)
{
	control(EPOLL_CTL_ADD, watch, events);
}

void loop_change(struct watch *watch, uint32_t events)
{
	control(EPOLL_CTL_MOD, watch, events);
}

void loop_remove(struct watch *watch)
{
	if (watch->fd < 0)
		return;
	/* Removed first: the file may live on in another process, and its events with it. */
	epoll_ctl(poller, EPOLL_CTL_DEL, watch->fd, NULL);
	close(watch->fd);
	watch->fd = -1;
}

void loop_run(void)
{
	struct epoll_event event;

	for (;;) {
		if (epoll_wait(poller, &event, 1, -1) != 1) {
			if (errno == EINTR)
				continue;
			fail("epoll_wait");
		}
		struct watch *watch = event.data.ptr;

		watch->ready(watch, event.events);
	}
}

void timer_make(struct watch *timer, void (*ready)(struct watch *, uint32_t))
{
	timer->fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	timer->ready = ready;
	if (timer->fd < 0)
		fail("timerfd_create");
	loop_add(timer, EPOLLIN);
}

void timer_set(struct watch *timer, long milliseconds)
{
	struct itimerspec at = {.it_value = {milliseconds / 1000, milliseconds % 1000 * 1000000}};

	timerfd_settime(timer->fd, 0, &at, NULL);
}

void timer_clear(struct watch *timer)
{
	uint64_t times;

	if (read(timer->fd, &times, sizeof times) < 0 && errno != EAGAIN)
		fail("read a timer");
}
