/* cooper-init [--] PROGRAM [ARGUMENT ...]: the first process of a container with --init.
 *
 * It runs the program, passes signals on to it, reaps orphans, and ends as the program did. The kernel protects the
 * first process from signals that it does not handle; the program is an ordinary process, which TERM ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Signals that say something about this process alone. */
static const int own[] = {SIGCHLD, SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU};

static pid_t start(char **arguments, const sigset_t *mask)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	/* The program gets the terminal, as if there were no init. */
	setpgid(0, 0);
	if (isatty(0)) {
		signal(SIGTTOU, SIG_IGN);
		tcsetpgrp(0, getpid());
		signal(SIGTTOU, SIG_DFL);
	}
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(arguments[0], arguments);
	fprintf(stderr, "exec: \"%s\": %s\n", arguments[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* True when the program has ended, with its exit status. */
static int reap(pid_t program, int *result)
{
	int status, ended = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (pid == program) {
			*result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
			ended = 1;
		}
	return ended;
}

int main(int count, char **arguments)
{
	sigset_t waited, before;
	int result = 0;
	pid_t program;

	arguments++;
	if (count > 1 && strcmp(arguments[0], "--") == 0)
		arguments++;
	if (!arguments[0]) {
		fputs("cooper-init: no program\n", stderr);
		return 127;
	}
	sigfillset(&waited);
	for (size_t i = 1; i < sizeof own / sizeof own[0]; i++)
		sigdelset(&waited, own[i]);
	sigprocmask(SIG_SETMASK, &waited, &before);
	program = start(arguments, &before);
	if (program < 0) {
		perror("cooper-init: fork");
		return 126;
	}
	for (;;) {
		int number = sigwaitinfo(&waited, NULL);

		if (number == SIGCHLD) {
			if (reap(program, &result))
				return result;
		} else if (number > 0) {
			kill(program, number);
		}
	}
}
