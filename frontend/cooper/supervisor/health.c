/* Health checks: a command in the container, run by the runtime's `exec --detach` and awaited here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "supervisor.h"

#define OUTPUT_MAX 4096
#define LOG_MAX (64 * 1024)
#define PF_EXITING 4U /* proc(5), stat, flags */
#define EXEC_MS 10000 /* what the runtime may take to start a check */

static struct watch timer = {.fd = -1};
static const char *status = "";
static long failures;
static int64_t began, started; /* of the container, of the check */
static pid_t executing;	       /* the runtime's command */
static pid_t checking;	       /* the process in the container */
static char said[OUTPUT_MAX]; /* the beginning of what it writes */
static size_t said_length;
static struct watch output = {.fd = -1}; /* open from the beginning of a check to its end */
static bool late;
static bool pointless; /* the check tells nothing: the container has ended or was paused meanwhile */

const char *health_status(void)
{
	return status;
}

/* Appends "BEGIN END STATUS LENGTH", a newline, and as many bytes of output with another newline. */
static void note(int result, const char *text, size_t length)
{
	char head[128];
	int file = openat(run_directory, "health", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	struct stat about;
	int head_length = snprintf(head, sizeof head, "%lld %lld %d %zu\n", (long long)started, (long long)now_ns(), result, length);
	ssize_t written = 0;

	if (file < 0)
		return;
	if (fstat(file, &about) == 0 && about.st_size > LOG_MAX)
		written = ftruncate(file, 0);
	if (written == 0 && write(file, head, (size_t)head_length) > 0 && write(file, text, length) >= 0)
		written = write(file, "\n", 1);
	close(file);
}

static void become(const char *now)
{
	if (status == now)
		return;
	status = now;
	status_write();
	event_write("health_status", "status", status);
}

static bool is_starting(void)
{
	return !strcmp(status, "starting") && now_ns() - began < settings.check_start * 1000000;
}

static void next_check(void)
{
	timer_set(&timer, is_starting() ? settings.check_start_interval : settings.check_interval);
}

static void count(bool healthy)
{
	if (healthy) {
		failures = 0;
		become("healthy");
		return;
	}
	if (is_starting())
		return;
	failures++;
	if (failures < settings.check_retries || !strcmp(status, "unhealthy"))
		return;
	become("unhealthy");
	if (life.stopping) /* its end is on the way, and is not to be taken for a fault, nor be turned into a restart */
		return;
	if (!strcmp(settings.unhealthy, "kill"))
		command_kill("SIGKILL", -1);
	else if (!strcmp(settings.unhealthy, "stop"))
		life_stop(settings.stop_signal, settings.stop_seconds);
	else if (!strcmp(settings.unhealthy, "restart"))
		life_restart();
}

/* False at its end. What does not fit is read all the same, or the check would wait for ever. */
static bool take_output(void)
{
	char text[16384];
	ssize_t length = read(output.fd, text, sizeof text);
	size_t room = sizeof said - said_length;

	if (length <= 0)
		return length < 0 && errno == EAGAIN;
	if ((size_t)length < room)
		room = (size_t)length;
	memcpy(said + said_length, text, room);
	said_length += room;
	return true;
}

static void output_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	/* Once only, so that its end is not reported again and again while the check runs on. */
	if (take_output())
		loop_change(watch, EPOLLIN | EPOLLONESHOT);
}

static void conclude(int result)
{
	take_output();
	loop_remove(&output);
	executing = checking = 0;
	if (late)
		said_length = (size_t)snprintf(said, sizeof said, "the check took more than %ld ms", settings.check_timeout);
	if (!pointless) {
		note(late ? -1 : result, said, said_length);
		count(result == 0 && !late);
	}
	if (life.state == RUNNING)
		next_check();
}

/* Of a PID namespace the first process ends last: its end kills the check, which is told before. */
static bool container_is_ending(void)
{
	char path[64], text[1024];
	unsigned flags = 0;
	int file;
	ssize_t length;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)life.pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	length = file < 0 ? 0 : read(file, text, sizeof text - 1);
	if (file >= 0)
		close(file);
	text[length > 0 ? length : 0] = 0;
	const char *rest = strrchr(text, ')');

	return !rest || sscanf(rest, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & PF_EXITING;
}

static void check_ended(int result, void *context)
{
	(void)context;
	if (WIFSIGNALED(result) && !late && container_is_ending())
		pointless = true;
	conclude(exit_status(result));
}

static void exec_ended(int result, void *context)
{
	char text[32] = "";

	(void)context;
	executing = 0;
	if (exit_status(result) == 0) {
		file_read("check.pid", text, sizeof text - 1);
		checking = atoi(text);
	}
	if (checking > 0) {
		child_adopt(checking, check_ended, NULL);
		timer_set(&timer, settings.check_timeout);
	} else {
		conclude(126);
	}
	children_expect(false);
}

static void check(void)
{
	int ends[2], streams[3] = {-1, -1, -1};

	late = pointless = false;
	started = now_ns();
	file_remove("check.pid");
	if (pipe2(ends, O_CLOEXEC))
		return next_check();
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	said_length = 0;
	output = (struct watch){ends[0], output_ready};
	loop_add(&output, EPOLLIN | EPOLLONESHOT);
	streams[1] = streams[2] = ends[1];
	timer_set(&timer, settings.check_timeout + EXEC_MS);
	executing = child_start(settings.check, streams, exec_ended, NULL);
	close(ends[1]);
	if (executing)
		children_expect(true);
	else
		conclude(126);
}

static void timer_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	timer_clear(watch);
	if (output.fd >= 0) {
		late = true;
		kill(checking > 0 ? checking : executing, SIGKILL);
	} else if (life.paused) {
		next_check();
	} else if (life.state == RUNNING) {
		check();
	}
}

void health_start(void)
{
	if (!settings.check)
		return;
	began = now_ns();
	failures = 0;
	status = "starting";
	if (timer.fd < 0)
		timer_make(&timer, timer_ready);
	next_check();
}

void health_disregard(void)
{
	pointless = true;
}

void health_stop(void)
{
	health_disregard();
	if (timer.fd >= 0)
		timer_set(&timer, 0);
}
