/* stave-init: the container's first process until it becomes the user's program.
 *
 *     stave-init CONTROL PROGRAM LISTENER
 *
 * Three descriptor numbers: the socket to the runtime, the memfd with the Program, and the socket that
 * `stave start` connects to (or "-"). Static, without a C library, executed from a sealed memfd: nothing
 * of the host's can be reached or overwritten through /proc/self/exe, and the few pages it touches are
 * all that a created container costs.
 */
#include "interpreter.h"

#include <asm/signal.h>
#include <linux/mman.h>

#define SIGNALS 64
#define EXIT_RUNTIME_FAILURE 127

#if !__STDC_HOSTED__
/* What the compiler may call. */
void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int value, size_t length);

void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
	char *out = to;
	const char *in = from;

	while (length--)
		*out++ = *in++;
	return to;
}

void *memmove(void *to, const void *from, size_t length)
{
	char *out = to;
	const char *in = from;

	if (out <= in)
		return memcpy(to, from, length);
	while (length--)
		out[length] = in[length];
	return to;
}

void *memset(void *to, int value, size_t length)
{
	char *out = to;

	while (length--)
		*out++ = (char)value;
	return to;
}

#endif

static int parse_descriptor(const char *text)
{
	int value = 0;

	if (*text < '0' || *text > '9')
		return -1;
	while (*text >= '0' && *text <= '9')
		value = value * 10 + (*text++ - '0');
	return value;
}

/* The runtime is a Python process, which ignores SIGPIPE; that must not pass on to the program. */
static void reset_signals(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action = {0};
	uint64_t none = 0;

	for (int signal = 1; signal <= SIGNALS; signal++)
		SYS4(__NR_rt_sigaction, signal, &action, NULL, sizeof none);
	SYS4(__NR_rt_sigprocmask, SIG_SETMASK, &none, NULL, sizeof none);
}

static int map_program(struct program *program, int fd)
{
	struct statx status;
	long address;

	CHECK(stat_descriptor(fd, &status));
	/* Private pages of a memfd: they were charged to the runtime when it wrote them. */
	address = SYS(__NR_mmap, NULL, status.stx_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (address < 0 && address > -4096)
		return (int)address;
	return program_open(program, (const void *)address, status.stx_size);
}

static void run(long count, char **arguments)
{
	static struct interpreter interpreter = {
	    .root = -1, .proc = -1, .null_mount = -1, .empty_mount = -1, .listener = -1,
	    .labels = {-1, -1, -1}};
	int error;

	if (count != 4)
		return;
	SYS5(__NR_prctl, PR_SET_NAME, "stave-init", 0, 0, 0);
	reset_signals();
	SYS1(__NR_umask, 0);
	interpreter.control = parse_descriptor(arguments[1]);
	interpreter.listener = parse_descriptor(arguments[3]);
	/* It got through the runtime's execve and must not get through ours: its end says that we executed. */
	SYS3(__NR_fcntl, interpreter.control, F_SETFD, FD_CLOEXEC);
	error = map_program(&interpreter.program, parse_descriptor(arguments[2]));
	close_descriptor(parse_descriptor(arguments[2]));
	if (error) {
		STEP(&interpreter, "read the program", NULL);
		report_failure(&interpreter, error, -1);
		return;
	}
	interpret(&interpreter);
}

#if __STDC_HOSTED__

/* An ordinary program, for the tests: sanitizers need a C library. */
int main(int count, char **arguments)
{
	run(count, arguments);
	return EXIT_RUNTIME_FAILURE;
}

#else

void start_c(long *stack);

void start_c(long *stack)
{
	run(stack[0], (char **)(stack + 1));
	SYS1(__NR_exit_group, EXIT_RUNTIME_FAILURE);
	__builtin_unreachable();
}

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall start_c\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x0, sp\n\tbl start_c\n");
#endif

#endif
