/* Health checks: a command in the container, run by the runtime's `exec --detach` and awaited here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor.h"

#define OUTPUT_MAX 4096
#define LOG_MAX (64 * 1024)

static struct watch timer = {.fd = -1};
static const char *status = "";
static long failures;
static int64_t began, started; /* of the container, of the check */
static pid_t checking;	       /* the process in the container */
static int output = -1;
static bool late;

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

static void count(bool healthy)
{
	if (healthy) {
		failures = 0;
		become("healthy");
		return;
	}
	if (!strcmp(status, "starting") && now_ns() - began < settings.check_start * 1000000)
		return;
	failures++;
	if (failures < settings.check_retries || !strcmp(status, "unhealthy"))
		return;
	become("unhealthy");
	if (!strcmp(settings.unhealthy, "kill"))
		life_kill("SIGKILL", -1);
	else if (!strcmp(settings.unhealthy, "stop"))
		life_stop(settings.stop_signal, settings.stop_seconds);
	else if (!strcmp(settings.unhealthy, "restart"))
		life_restart();
}

static void conclude(int result)
{
	char text[OUTPUT_MAX];
	ssize_t length = read(output, text, sizeof text);

	close(output);
	output = -1;
	checking = 0;
	if (late)
		length = snprintf(text, sizeof text, "the check took more than %ld ms", settings.check_timeout);
	note(late ? -1 : result, text, length > 0 ? (size_t)length : 0);
	if (life.state != RUNNING)
		return;
	count(result == 0 && !late);
	if (life.state == RUNNING && timer.fd >= 0)
		timer_set(&timer, settings.check_interval);
}

static void check_ended(int result, void *context)
{
	(void)context;
	conclude(exit_status(result));
}

static void exec_ended(int result, void *context)
{
	char text[32] = "";

	(void)context;
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
	pid_t pid;

	late = false;
	started = now_ns();
	file_remove("check.pid");
	if (pipe2(ends, O_CLOEXEC))
		return;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	output = ends[0];
	streams[1] = streams[2] = ends[1];
	pid = child_start(settings.check, streams, exec_ended, NULL);
	close(ends[1]);
	if (pid)
		children_expect(true);
	else
		conclude(126);
}

static void timer_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	timer_clear(watch);
	if (checking > 0) {
		late = true;
		kill(checking, SIGKILL);
	} else if (life.state == RUNNING && output < 0) {
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
	timer_set(&timer, settings.check_interval);
}

void health_stop(void)
{
	if (timer.fd >= 0)
		timer_set(&timer, 0);
}
