/* The container's life: started, ended, perhaps started again.
 *
 *     STARTING -> RUNNING -> EXITING -> RESTARTING -> STARTING ...
 *         |                     `----> FINISHED -> cleaned up by the caretaker, or by the clean-up command
 *         `-> FAILED ------------------------------^
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "supervisor.h"

#define FIRST_CLIENT 3
#define DELAY_FIRST 100
#define DELAY_MAX 60000
#define STEADY_NS 10000000000LL /* after so long a run the delay begins anew */
#define BLOCKED_MS 10000	/* how long an ended container waits for a client that does not read */
#define COMMAND_MS 10000	/* how long a stop, or an ended container, waits for the runtime's commands */
#define KILL_MS 5000		/* after so long SIGKILL is sent again */

struct life life = {.state = STARTING, .status = -1};
static struct watch restart_timer, kill_timer, blocked_timer;
static int64_t started, finished;
static long restarts, delay = DELAY_FIRST;
static bool restart_wanted;
static bool killing;	/* SIGKILL has been sent: from now on it is repeated, and not by the runtime alone */
static bool remove_due; /* the container is to be deleted when no command is at it any more */
static bool deleted;	/* the runtime has done so */
static struct {		/* a stop that came before there was anything to stop */
	bool wanted;
	char signal[32];
	long seconds;
} stop_after_start;
static const int nowhere[3] = {-1, -1, -1};

static void start(void);
static void finish(enum state state);

/* A fault of cooper's own: nothing sensible can be done. */
void fail(const char *what)
{
	char text[256];

	snprintf(text, sizeof text, "supervisor: %s: %s", what, strerror(errno));
	if (run_directory >= 0)
		file_write("failure", text, strlen(text));
	fprintf(stderr, "%s\n", text);
	exit(1);
}

void status_write(void)
{
	static const char *const names[] = {"starting", "running", "exiting", "restarting", "finished", "failed"};
	char text[512];
	int length = snprintf(text, sizeof text,
			      "state %s\npid %d\nstarted %lld\nfinished %lld\nstatus %d\noom %d\nrestarts %ld\npaused %d\nhealth %s\ndeleted %d\n",
			      names[life.state], (int)life.pid, (long long)started, (long long)finished, life.status,
			      life.oom, restarts, life.paused, health_status(), deleted);

	file_write("status", text, (size_t)length);
}

static bool was_out_of_memory(void)
{
	static const char *const files[] = {"memory.events", "memory.oom_control"};
	char path[4096], text[1024];

	for (char **group = settings.cgroups; group && *group; group++)
		for (int i = 0; i < 2; i++) {
			snprintf(path, sizeof path, "%s/%s", *group, files[i]);
			int file = open(path, O_RDONLY | O_CLOEXEC);
			ssize_t length = file < 0 ? 0 : read(file, text, sizeof text - 1);
			const char *count;

			if (file >= 0)
				close(file);
			text[length > 0 ? length : 0] = 0;
			count = strstr(text, "\noom_kill ");
			if (count && strtol(count + 10, NULL, 10) > 0)
				return true;
		}
	return false;
}

static bool is_to_restart(void)
{
	if (restart_wanted)
		return true;
	if (life.stopping)
		return false;
	if (!strcmp(settings.restart, "always") || !strcmp(settings.restart, "unless-stopped"))
		return true;
	return !strcmp(settings.restart, "on-failure") && life.status != 0 &&
	       (settings.restart_maximum <= 0 || restarts < settings.restart_maximum);
}

static void go_on(void)
{
	if (!is_to_restart())
		return finish(FINISHED);
	if (finished - started >= STEADY_NS || restart_wanted)
		delay = DELAY_FIRST;
	life.state = RESTARTING;
	status_write();
	timer_set(&restart_timer, restart_wanted ? 1 : delay);
	restart_wanted = false;
	delay = delay * 2 < DELAY_MAX ? delay * 2 : DELAY_MAX;
}

static void removed(int status, void *context)
{
	(void)context;
	deleted = exit_status(status) == 0; /* what the runtime left, the clean-up command tries to remove again */
	if (life.failure_length)
		finish(FAILED);
	else
		go_on();
}

/* A command that comes late would meet the next life, which has the same name: each is awaited. */
static void remove_container(void)
{
	remove_due = children_commands() > 0;
	timer_set(&kill_timer, remove_due ? COMMAND_MS : 0);
	if (!remove_due && (!settings.remove || !child_start(settings.remove, nowhere, removed, NULL)))
		removed(1 << 8, NULL);
}

void life_command_ended(void)
{
	if (remove_due && !children_commands())
		remove_container();
}

static void drained(void)
{
	char number[16];

	timer_set(&blocked_timer, 0);
	status_write();
	clients_tell();
	snprintf(number, sizeof number, "%d", life.status);
	if (life.oom)
		event_write("oom", "exitCode", number);
	event_write("die", "exitCode", number);
	remove_container();
}

static void container_ended(int status, void *context)
{
	(void)context;
	life.status = exit_status(status);
	life.state = EXITING;
	life.paused = false;
	life.oom = was_out_of_memory();
	finished = now_ns();
	timer_set(&kill_timer, 0);
	health_stop();
	timer_set(&blocked_timer, BLOCKED_MS);
	streams_drain(drained);
}

static void did_not_start(const char *complaint, size_t length)
{
	if (restarts == 0) {
		memcpy(life.failure, complaint, length);
		life.failure_length = length;
		file_write("failure", life.failure, length);
	}
	finished = now_ns();
	life.status = 125;
	life.state = EXITING;
	remove_container();
}

static void run_ended(int status, void *context)
{
	char text[TEXT_MAX - 1] = "";
	pid_t pid = 0;
	size_t length;

	(void)context;
	timer_set(&kill_timer, 0);
	if (exit_status(status) == 0 && (length = file_read("pid", text, 31)) > 0) {
		text[length] = 0;
		pid = atoi(text);
	}
	if (pid > 0) {
		life.pid = pid;
		life.state = RUNNING;
		started = now_ns();
		child_adopt(pid, container_ended, NULL);
		health_start();
		status_write();
		streams_open();
		clients_tell();
		event_write("start", "status", "running");
		if (stop_after_start.wanted)
			life_stop(stop_after_start.signal, stop_after_start.seconds);
	} else {
		length = file_read("runtime.log", text, sizeof text);
		if (!length)
			length = streams_complaint(text, sizeof text);
		else
			streams_complaint((char[1]){0}, 1);
		if (!length)
			length = (size_t)snprintf(text, sizeof text, "the runtime ended with %d", exit_status(status));
		did_not_start(text, length);
	}
	children_expect(false);
}

static void start(void)
{
	int child[3];
	pid_t pid;

	life.state = STARTING;
	life.status = -1;
	life.oom = false;
	life.pid = 0;
	killing = stop_after_start.wanted = deleted = false;
	file_remove("pid");
	file_remove("runtime.log");
	streams_make(child);
	if (console_listen())
		fail("listen on the console socket");
	status_write();
	for (char **word = settings.run; settings.terminal && *word; word++)
		if (!strcmp(*word, "@console"))
			*word = console_path();
	pid = child_start(settings.run, child, run_ended, NULL);
	for (int i = 0; i < 3; i++)
		if (child[i] >= 0)
			close(child[i]);
	if (pid)
		return children_expect(true);
	char text[256];
	int length = snprintf(text, sizeof text, "cannot run %s: %s", settings.run[0], strerror(errno));

	streams_complaint((char[1]){0}, 1);
	did_not_start(text, length < (int)sizeof text ? (size_t)length : sizeof text - 1);
}

static void clean_up(void)
{
	sigset_t none;

	if (!settings.clean_up) {
		files_remove();
		exit(0);
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execv(settings.clean_up[0], settings.clean_up);
	exit(1);
}

static void finish(enum state state)
{
	life.state = state;
	status_write();
	/* From here on another supervisor may take over; only the clean-up is left. */
	clients_unlisten();
	supervisor_unlock();
	clients_tell();
	if (!clients_caretaker())
		clean_up();
}

void life_done(bool cleaned)
{
	if (life.state != FINISHED && life.state != FAILED)
		return;
	if (cleaned && settings.clean_up)
		exit(0);
	if (cleaned || !clients_caretaker())
		clean_up();
}

void life_kill(const char *signal, bool asked)
{
	bool for_good = !strcmp(signal, "SIGKILL");

	if (asked && (for_good || !strcmp(signal, settings.stop_signal))) {
		life.stopping = true; /* whoever kills it wants it ended */
		restart_wanted = false;
	}
	if (for_good) {
		killing = true;
		timer_set(&kill_timer, KILL_MS);
	}
}

void life_stop(const char *signal, long seconds)
{
	life.stopping = true;
	restart_wanted = false;
	switch (life.state) {
	case STARTING:
		stop_after_start.wanted = true;
		snprintf(stop_after_start.signal, sizeof stop_after_start.signal, "%s", signal);
		stop_after_start.seconds = seconds;
		if (seconds >= 0)
			timer_set(&kill_timer, seconds * 1000 > COMMAND_MS ? seconds * 1000 : COMMAND_MS);
		break;
	case RESTARTING:
		timer_set(&restart_timer, 0);
		finish(FINISHED);
		break;
	case RUNNING:
		timer_set(&kill_timer, seconds > 0 ? seconds * 1000 : 0);
		command_kill(seconds == 0 ? "SIGKILL" : signal, -1);
		if (life.paused)
			command_pause(false, -1);
		break;
	default:
		break;
	}
}

/* For the container's own good: whoever has asked for its end meanwhile is obeyed. */
void life_restart(void)
{
	life_stop(settings.stop_signal, settings.stop_seconds);
	life.stopping = false;
	restart_wanted = true;
}

void life_policy(const char *name, long maximum)
{
	static char kept[32];

	snprintf(kept, sizeof kept, "%s", name);
	settings.restart = kept;
	settings.restart_maximum = maximum;
}

static void restart_due(struct watch *timer, uint32_t events)
{
	(void)events;
	timer_clear(timer);
	restarts++;
	event_write("restart", "status", "starting");
	start();
}

static void kill_due(struct watch *timer, uint32_t events)
{
	(void)events;
	timer_clear(timer);
	if (life.state != RUNNING)
		return children_kill_commands(); /* their ends are told, and it goes on from there */
	if (killing)
		kill(life.pid, SIGKILL);
	command_kill("SIGKILL", -1);
}

static void blocked_due(struct watch *timer, uint32_t events)
{
	(void)events;
	timer_clear(timer);
	clients_drop_blocked();
}

int main(int count, char **arguments)
{
	bool first_client;

	if (count != 3) {
		fprintf(stderr, "usage: cooper-supervisor ID RUN-DIRECTORY <SETTINGS (cooper starts it)\n");
		return 2;
	}
	files_open(arguments[2]);
	settings_read(0);
	first_client = fcntl(FIRST_CLIENT, F_GETFD) >= 0;
	setsid();
	for (int i = 0; i < 3; i++) {
		close(i);
		if (open("/dev/null", O_RDWR) != i)
			fail("open /dev/null");
	}
	if (chdir("/") || prctl(PR_SET_CHILD_SUBREAPER, 1))
		fail("become a subreaper");
	if (!supervisor_lock())
		fail("lock");
	loop_start();
	children_watch();
	timer_make(&restart_timer, restart_due);
	timer_make(&kill_timer, kill_due);
	timer_make(&blocked_timer, blocked_due);
	log_open();
	clients_listen();
	if (first_client)
		clients_first(FIRST_CLIENT);
	start();
	loop_run();
}
