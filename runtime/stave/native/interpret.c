#include "interpreter.h"

#include <linux/time.h>
#include <linux/time_types.h>

typedef int (*operation_function)(struct interpreter *);

static const operation_function functions[] = OPERATION_FUNCTIONS;

int64_t number(const struct interpreter *interpreter, unsigned argument)
{
	return program_number(&interpreter->program, interpreter->operation, argument);
}

const char *text(const struct interpreter *interpreter, unsigned argument)
{
	return program_text(&interpreter->program, interpreter->operation, argument);
}

static void note_time(struct interpreter *interpreter)
{
	struct __kernel_timespec now;

	if (!interpreter->times)
		return;
	SYS2(__NR_clock_gettime, CLOCK_MONOTONIC, &now);
	interpreter->times[interpreter->index] =
	    (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void interpret(struct interpreter *interpreter)
{
	uint32_t count = interpreter->program.count;
	int error;

	if (interpreter->program.flags & PROGRAM_TRACED)
		interpreter->times = memory_map((count + 1) * sizeof *interpreter->times);
	error = wait_for_go(interpreter);
	for (uint32_t i = 0; !error && i < count; i++) {
		interpreter->index = i;
		interpreter->operation = program_operation(&interpreter->program, i);
		STEP(interpreter, NULL, NULL);
		error = functions[interpreter->operation->code](interpreter);
		note_time(interpreter);
	}
	/* A Program that ends without `execute` has no process to become: `start` is told so. */
	if (!error) {
		interpreter->index = count ? count - 1 : 0;
		STEP(interpreter, "no process is configured", NULL);
		error = -ENOEXEC;
	}
	report_failure(interpreter, error, -1);
}
