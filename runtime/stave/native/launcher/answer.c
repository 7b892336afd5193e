/* start, state, kill, delete, list, ps, pause and resume of simple containers. What they do is described where Python does it,
 * in stave/container/; this is the same, as far as everything goes well.
 */
#define _GNU_SOURCE
#include "answer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../messages.h"
#include "command.h"
#include "container.h"
#include "list.h"
#include "output.h"

#define KILL_TIMEOUT 10000 /* milliseconds */
#define ATTEMPTS 40 /* to remove a cgroup that killed processes are leaving, or to freeze one: 20 ms at the least */

static bool print_state(const struct container *container)
{
	const struct record *record = &container->record;
	enum status status = container_status(container);
	static char text[RECORD_MAX + 64];
	int pid = status == STATUS_STOPPED ? 0 : (int)record->head.pid;
	int length;

	if (status == STATUS_UNKNOWN)
		return false;
	length = snprintf(text, sizeof text, "%s%s%s%d%s", record->before_status, status_names[status],
			  record->before_pid, pid, record->after_pid);
	return length < (int)sizeof text && output_write(text, (size_t)length);
}

static int connect_to_first(const struct container *container)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct message go = {.type = MESSAGE_GO};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/start.sock",
		 container->directory);
	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&address, sizeof address) ||
	    send(fd, &go, MESSAGE_HEAD, MSG_NOSIGNAL) != (ssize_t)MESSAGE_HEAD) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool start(const struct container *container, int *connection)
{
	char byte;
	ssize_t said;
	int fd;

	if (container_status(container) != STATUS_CREATED)
		return false;
	fd = connect_to_first(container);
	if (fd < 0)
		return false;
	do
		said = recv(fd, &byte, 1, MSG_PEEK);
	while (said < 0 && errno == EINTR);
	if (said > 0) {
		*connection = fd;
		return false;
	}
	/* Reset: it is gone, and has not read that it may go on. */
	if (said < 0) {
		close(fd);
		return false;
	}
	/* The end of file, by execve or death. */
	unlinkat(container->directory, "start.sock", 0);
	return true;
}

/* A pidfd of the first process, or -1. While it is open the pid cannot pass on to another process. */
static int open_first(const struct container *container)
{
	int fd = (int)syscall(SYS_pidfd_open, (int)container->record.head.pid, 0);

	if (fd >= 0 && container_process(container) != STATUS_RUNNING) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool signal_process(int process, int number)
{
	return syscall(SYS_pidfd_send_signal, process, number, NULL, 0) == 0;
}

static bool kill_first(const struct container *container, int number)
{
	enum status status = container_status(container);
	int process;
	bool sent;

	/* SIGKILL is for all processes, which without a PID namespace do not end with the first; and in a
	 * frozen cgroup v1 it has no effect. */
	if (number == SIGKILL && (status == STATUS_PAUSED || !container->record.head.own_pid_namespace))
		return false;
	if (status == STATUS_UNKNOWN || status == STATUS_STOPPED)
		return false;
	process = open_first(container);
	sent = process >= 0 && signal_process(process, number);
	if (process >= 0)
		close(process);
	return sent;
}

/* The first process, and with it all of its PID namespace, has ended. */
static bool end_first(const struct container *container)
{
	struct pollfd ended = {.fd = open_first(container), .events = POLLIN};

	return ended.fd >= 0 && signal_process(ended.fd, SIGKILL) && poll(&ended, 1, KILL_TIMEOUT) == 1;
}

/* The group has no group below it: a group has a link for each of them, and two more. */
static bool is_lowest(const char *group)
{
	struct stat directory;

	return stat(group, &directory) == 0 && directory.st_nlink <= 2;
}

/* Whether there is nobody in the group, nor a group below it, so that it can be removed once the killed have
 * left. */
static bool is_leaving(const char *group)
{
	char path[4096], byte;
	bool empty;
	int fd;

	if (snprintf(path, sizeof path, "%s/cgroup.procs", group) >= (int)sizeof path)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	empty = read(fd, &byte, 1) == 0;
	close(fd);
	return empty && is_lowest(group);
}

static bool remove_group(const char *group)
{
	const struct timespec moment = {.tv_nsec = 500000};

	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (rmdir(group) == 0 || errno == ENOENT)
			return true;
		if (errno != EBUSY || !is_leaving(group))
			return false;
		nanosleep(&moment, NULL);
	}
	return false;
}

static bool remove_groups(const struct record *record)
{
	for (size_t i = 0; i < record->group_count; i++)
		if (!remove_group(record->paths[i]))
			return false;
	/* Groups above the container's own: others may use them meanwhile. */
	for (size_t i = record->group_count; i < record->path_count; i++)
		if (rmdir(record->paths[i]) && errno != ENOENT && errno != EBUSY && errno != ENOTEMPTY)
			return false;
	return true;
}

static bool remove_directory(int fd, const char *root, const char *id)
{
	char path[4096];
	DIR *directory = fdopendir(fd);
	struct dirent *entry;

	if (!directory)
		return false;
	while ((entry = readdir(directory)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
		    unlinkat(fd, entry->d_name, 0))
			return false;
	return snprintf(path, sizeof path, "%s/%s", root, id) < (int)sizeof path && rmdir(path) == 0;
}

static bool delete(const struct container *container, const struct command *command)
{
	enum status status = container_status(container);

	if (status != STATUS_STOPPED) {
		/* Of a paused container, or one that shares its PID namespace, more has to be ended. */
		if (!command->force || status == STATUS_UNKNOWN || status == STATUS_PAUSED ||
		    !container->record.head.own_pid_namespace || !end_first(container))
			return false;
	}
	return remove_groups(&container->record) &&
	       remove_directory(container->directory, command->root, command->id);
}

/* The pids of the group, in JSON. */
static bool print_processes(const struct container *container)
{
	static char pids[32768], text[2 * sizeof pids];
	const char *group = container->record.paths[0];
	char path[4096], *rest = pids;
	size_t length = 0;

	if (!container->record.group_count || !is_lowest(group) ||
	    snprintf(path, sizeof path, "%s/cgroup.procs", group) >= (int)sizeof path ||
	    read_file(path, pids, sizeof pids) < 0)
		return false;
	text[length++] = '[';
	for (const char *pid; (pid = strsep(&rest, "\n"));) {
		/* 0 is a process that this PID namespace does not show. */
		if (*pid && strcmp(pid, "0"))
			length += (size_t)sprintf(text + length, "%s%s", length > 1 ? "," : "", pid);
	}
	length += (size_t)sprintf(text + length, "]\n");
	return output_write(text, length);
}

static bool write_freezer(const char *group, bool frozen)
{
	const char *value = frozen ? "FROZEN" : "THAWED";
	char path[4096];
	ssize_t written;
	int fd;

	if (snprintf(path, sizeof path, "%s/freezer.state", group) >= (int)sizeof path)
		return false;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 && snprintf(path, sizeof path, "%s/cgroup.freeze", group) < (int)sizeof path) {
		value = frozen ? "1" : "0";
		fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return false;
	written = write(fd, value, strlen(value));
	close(fd);
	return written > 0;
}

/* Freezes the container, or thaws it. What takes longer is undone, and Python's. */
static bool set_frozen(const struct container *container, bool frozen)
{
	const struct timespec moment = {.tv_nsec = 500000};
	const char *group = container->record.freezer;
	enum status status = container_status(container);

	if (!*group || (frozen ? status != STATUS_CREATED && status != STATUS_RUNNING : status != STATUS_PAUSED) ||
	    !write_freezer(group, frozen))
		return false;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
		if (is_frozen(group) == frozen)
			return true;
		nanosleep(&moment, NULL);
	}
	write_freezer(group, !frozen);
	return false;
}

/* As `Log.check`: the log is there, and can be written to. */
static bool open_log(const char *path)
{
	int fd;

	if (!*path)
		return true;
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

bool answer(int count, char *const *words, int *connection)
{
	static struct container container;
	struct command command;
	bool changes;

	*connection = -1;
	if (!command_parse(&command, count, words) || !open_log(command.log))
		return false;
	if (command.verb == VERB_LIST)
		return list_print(command.root, command.form);
	changes = command.verb == VERB_START || command.verb == VERB_DELETE || command.verb == VERB_PAUSE ||
		  command.verb == VERB_RESUME;
	if (!container_open(&container, command.root, command.id, changes))
		return false;
	switch (command.verb) {
	case VERB_STATE:
		return print_state(&container);
	case VERB_START:
		return start(&container, connection);
	case VERB_KILL:
		return kill_first(&container, command.signal);
	case VERB_DELETE:
		return delete (&container, &command);
	case VERB_PS:
		return print_processes(&container);
	case VERB_PAUSE:
	case VERB_RESUME:
		return set_frozen(&container, command.verb == VERB_PAUSE);
	case VERB_LIST:
		break;
	}
	return false;
}
