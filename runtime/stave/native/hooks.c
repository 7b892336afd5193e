/* Hooks that run in the container's namespaces. */
#include "interpreter.h"

#include <asm/signal.h>
#include <linux/mman.h>
#include <linux/poll.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#define PIPE_SIZE 65536

static int64_t now_ms(void)
{
	struct __kernel_timespec now;

	SYS2(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int state_on_stdin(struct interpreter *interpreter)
{
	char pid[16] = "";
	uint32_t length;
	const void *part;
	OWNED fd = (int)SYS2(__NR_memfd_create, "state", 1 /* MFD_CLOEXEC */);

	CHECK(fd);
	part = program_bytes(&interpreter->program, interpreter->operation, 4, &length);
	CHECK(write_all(fd, part, part ? length : 0));
	/* The container's own view of it, as runtime.md#state has it for these hooks. */
	text_append_number(pid, sizeof pid, SYS0(__NR_getpid));
	CHECK(write_all(fd, pid, text_length(pid)));
	part = program_bytes(&interpreter->program, interpreter->operation, 5, &length);
	CHECK(write_all(fd, part, part ? length : 0));
	CHECK(SYS3(__NR_lseek, fd, 0, 0));
	return KEEP(fd);
}

/* The strings stay in the Program; only the pointers are laid out. */
static char **pointer_list(struct interpreter *interpreter, unsigned argument)
{
	uint32_t count =
	    program_list_length(&interpreter->program, interpreter->operation, argument);
	char **list = memory_map((count + 1) * sizeof *list);

	for (uint32_t i = 0; list && i < count; i++)
		list[i] = (char *)(uintptr_t)program_list_item(
		    &interpreter->program, interpreter->operation, argument, i);
	return list;
}

static void run_child(const char *path, char **arguments, char **environment, int input, int output,
		      int status)
{
	int error;

	SYS3(__NR_dup3, input, 0, 0);
	SYS3(__NR_dup3, output, 1, 0);
	SYS3(__NR_dup3, output, 2, 0);
	SYS3(__NR_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
	error = (int)SYS3(__NR_execve, path, arguments, environment);
	write_all(status, &error, sizeof error);
	SYS1(__NR_exit_group, 127);
}

/* Keeps the end of the output: that is where programs say why they gave up. No more than a pipe holds: what
 * the hook leaves running may go on writing for ever. */
static void keep_output(struct interpreter *interpreter, int output)
{
	const size_t size = sizeof interpreter->note - 1;
	char chunk[256];
	long length;

	for (size_t count = 0; count < PIPE_SIZE / sizeof chunk; count++) {
		size_t held = text_length(interpreter->note);

		length = RETRY(SYS3(__NR_read, output, chunk, sizeof chunk));
		if (length <= 0)
			return;
		size_t excess = held + (size_t)length > size ? held + (size_t)length - size : 0;

		__builtin_memmove(interpreter->note, interpreter->note + excess, held - excess);
		__builtin_memcpy(interpreter->note + held - excess, chunk, (size_t)length);
		interpreter->note[held - excess + (size_t)length] = 0;
	}
}

/* Waits for the process itself, not for the end of its output: what it left behind may hold the pipe. */
static int wait_for_child(struct interpreter *interpreter, int process, int output, int64_t timeout)
{
	int64_t deadline = now_ms() + timeout * 1000;
	struct pollfd waits[2] = {{process, POLLIN, 0}, {output, POLLIN, 0}};

	for (;;) {
		int64_t left = timeout ? deadline - now_ms() : 3600000;
		struct __kernel_timespec span = {left / 1000, left % 1000 * 1000000};

		if (left <= 0)
			return -ETIMEDOUT;
		CHECK(RETRY(SYS5(__NR_ppoll, waits, 2, &span, NULL, 0)));
		if (waits[1].revents & POLLIN)
			keep_output(interpreter, output);
		else if (waits[1].revents)
			waits[1].fd = -1; /* closed by everybody */
		if (waits[0].revents)
			break;
	}
	keep_output(interpreter, output);
	return 0;
}

int op_run_container_hook(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	char **arguments = pointer_list(interpreter, 1), **environment = pointer_list(interpreter, 2);
	int pipes[2], statuses[2], status = 0, error = 0;
	OWNED input = -1;
	long pid;

	if (!arguments || !environment)
		return -ENOMEM;
	if (!arguments[0])
		arguments = (char *[]){(char *)(uintptr_t)path, NULL};
	STEP(interpreter, "prepare hook", path);
	interpreter->note[0] = 0;
	input = state_on_stdin(interpreter);
	CHECK(input);
	CHECK(SYS2(__NR_pipe2, pipes, O_CLOEXEC | O_NONBLOCK));
	OWNED output = pipes[0];
	OWNED output_end = pipes[1];
	CHECK(SYS2(__NR_pipe2, statuses, O_CLOEXEC));
	OWNED report = statuses[0];
	OWNED report_end = statuses[1];

	pid = SYS5(__NR_clone, SIGCHLD, 0, 0, 0, 0);
	CHECK(pid);
	if (pid == 0) {
		/* The pipe is non-blocking for our end; the hook gets an ordinary one. */
		SYS3(__NR_fcntl, output_end, F_SETFL, 0);
		run_child(path, arguments, environment, input, output_end, report_end);
	}
	close_descriptor(KEEP(output_end));
	close_descriptor(KEEP(report_end));
	OWNED process = (int)SYS2(__NR_pidfd_open, pid, 0);
	STEP(interpreter, "run hook", path);
	if (process >= 0)
		error = wait_for_child(interpreter, process, output, number(interpreter, 3));
	if (process < 0 || error)
		SYS2(__NR_kill, pid, SIGKILL);
	CHECK(RETRY(SYS4(__NR_wait4, pid, &status, 0, NULL)));
	CHECK(process);
	CHECK(error);
	if (SYS3(__NR_read, report, &error, sizeof error) == sizeof error)
		return error;
	if (status == 0)
		return 0;
	interpreter->hook_status = status;
	return -ECHILD;
}
