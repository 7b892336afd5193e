/* launch.c and supervise.c, called as the runtime calls them. One check per name; 0 if it holds. */
#define _GNU_SOURCE
#include "launch.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

static int fork_child(void (*child)(int), int argument)
{
	int pid = fork();

	EXPECT(pid >= 0);
	if (pid == 0) {
		child(argument);
		_exit(99);
	}
	return pid;
}

static void leave(int status)
{
	_exit(status);
}

static void check_status(void)
{
	int status = stave_supervise(fork_child(leave, 7), -1, -1, -1);

	EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* A program that was ready has said so, also if it has ended before anybody listened. */
static void check_ready(void)
{
	char heard[64] = "";
	int said[2], told[2];
	siginfo_t ended;

	EXPECT(socketpair(AF_UNIX, SOCK_DGRAM, 0, said) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, told) == 0);
	EXPECT(send(said[1], "STATUS=up", 9, 0) == 9 && send(said[1], "MAINPID=7\nREADY=1\n", 18, 0) == 18);
	int pid = fork_child(leave, 7);
	EXPECT(waitid(P_PID, pid, &ended, WEXITED | WNOWAIT) == 0);
	EXPECT_NUMBER(WEXITSTATUS(stave_supervise(pid, -1, said[0], told[0])), 7);
	EXPECT(recv(told[1], heard, sizeof heard - 1, MSG_DONTWAIT) == 7 && strcmp(heard, "READY=1") == 0);
	for (int i = 0; i < 2; i++) {
		close(said[i]);
		close(told[i]);
	}
}

static void take_signal(int signal)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	kill(getppid(), signal);
	for (;;)
		pause();
}

static void check_signal(void)
{
	sigset_t held;
	int status;

	/* As `run` does: it may come before it is waited for. */
	sigemptyset(&held);
	sigaddset(&held, SIGUSR1);
	sigprocmask(SIG_BLOCK, &held, NULL);
	status = stave_supervise(fork_child(take_signal, SIGUSR1), -1, -1, -1);
	EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR1);
}

static void flood(int terminal)
{
	char line[100];

	memset(line, 'x', sizeof line);
	for (int i = 0; i < 5000; i++)
		EXPECT(write(terminal, line, sizeof line) == sizeof line);
	_exit(3);
}

/* Half a megabyte through the terminal, to a reader that is slower. */
static void check_output(void)
{
	int pipes[2], master = posix_openpt(O_RDWR | O_NOCTTY), slave, pid, status;
	struct termios raw;

	EXPECT(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	EXPECT(slave >= 0 && tcgetattr(slave, &raw) == 0);
	cfmakeraw(&raw);
	EXPECT(tcsetattr(slave, TCSANOW, &raw) == 0 && pipe(pipes) == 0);
	pid = fork();
	if (pid == 0) {
		EXPECT(dup2(pipes[1], 1) == 1 && dup2(open("/dev/null", O_RDONLY), 0) == 0);
		close(pipes[0]);
		close(pipes[1]);
		status = fork_child(flood, slave);
		close(slave);
		status = stave_supervise(status, master, -1, -1);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 98);
	}
	close(pipes[1]);
	close(slave);
	close(master);
	long total = 0, length;
	char buffer[997];
	while ((length = read(pipes[0], buffer, sizeof buffer)) > 0)
		total += length;
	EXPECT(waitpid(pid, &status, 0) == pid);
	EXPECT_NUMBER(WEXITSTATUS(status), 3);
	EXPECT_NUMBER(total, 500000);
}

static void check_spawn(void)
{
	char *arguments[] = {"sh", "-c", "read word; echo got $word in $PWD; echo err >&2; ls /proc/self/fd | wc -l", NULL};
	char *environment[] = {"PATH=/bin:/usr/bin", NULL};
	int input[2], output[2], status;
	char text[256];
	ssize_t length = 0, more;

	EXPECT(pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
	EXPECT(write(input[1], "word\n", 5) == 5);
	int pid = stave_spawn("/bin/sh", arguments, environment, input[0], output[1], "/tmp");
	EXPECT(pid > 0);
	close(output[1]);
	while ((more = read(output[0], text + length, sizeof text - 1 - (size_t)length)) > 0)
		length += more;
	text[length] = 0;
	EXPECT(waitpid(pid, &status, 0) == pid && status == 0);
	EXPECT(strcmp(text, "got word in /tmp\nerr\n4\n") == 0);
	EXPECT_NUMBER(stave_spawn("/no/such", arguments, environment, input[0], open("/dev/null", O_WRONLY), "/"), -ENOENT);
}

static void check_console_socket(void)
{
	char directory[] = "/tmp/stave-native-XXXXXX", path[300];
	int listener, place, accepted, descriptor;
	char data[64] = "";
	struct iovec part = {data, sizeof data};
	char control[CMSG_SPACE(sizeof(int))];
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

	EXPECT(mkdtemp(directory));
	/* Longer than the address of a socket. */
	snprintf(path, sizeof path, "%s/%0200d", directory, 0);
	EXPECT(mkdir(path, 0700) == 0);
	place = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	strcat(path, "/s");
	/* SOCK_SEQPACKET here; the console's is a stream, and must be refused. */
	listener = stave_listen(place, "s");
	EXPECT(listener >= 0);
	EXPECT_NUMBER(stave_send_descriptor(path, 0, "name"), -EPROTOTYPE);
	close(listener);
	EXPECT_NUMBER(stave_send_descriptor(path, 0, "name"), -ECONNREFUSED);
	unlink(path);
	EXPECT_NUMBER(stave_send_descriptor(path, 0, "name"), -ENOENT);

	struct sockaddr_un address = {.sun_family = AF_UNIX};
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/s", place);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	EXPECT(bind(listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(listener, 1) == 0);
	EXPECT_NUMBER(stave_send_descriptor(path, 0, "name"), 0);
	accepted = accept(listener, NULL, NULL);
	EXPECT(recvmsg(accepted, &header, 0) == 4 && strcmp(data, "name") == 0);
	memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&header)), sizeof descriptor);
	EXPECT(fcntl(descriptor, F_GETFD) >= 0);
	unlink(path);
	*strrchr(path, '/') = 0;
	rmdir(path);
	rmdir(directory);
}

/* The image is sealed, and executed at once; a closed socket is the end. */
static void check_launch(void)
{
	int ends[2], streams[] = {0, 1, 2}, image = stave_init_image("/tmp"), descriptor, status;
	char *arguments[] = {"stave-init", "x", "x", "-", NULL};
	struct message message;

	EXPECT(image >= 0 && write(image, "x", 1) < 0);
	EXPECT_NUMBER(stave_socket_pair(ends), 0);
	int pid = stave_launch(image, arguments, streams, 0, 0, &ends[1], 1);
	EXPECT(pid > 0);
	close(ends[1]);
	EXPECT_NUMBER(stave_receive(ends[0], &message, &descriptor), 0);
	EXPECT(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 127);
	EXPECT_NUMBER(stave_launch(ends[0], arguments, streams, 0, 0, NULL, 0), -EACCES);
}

static void check_mounts(void)
{
	char directory[] = "/tmp/stave-native-XXXXXX", link[64];
	int namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), tree;

	EXPECT(mkdtemp(directory));
	EXPECT_NUMBER(stave_namespace_type(namespace), CLONE_NEWNS);
	EXPECT_NUMBER(stave_namespace_type(1), -ENOTTY);
	EXPECT(unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	EXPECT(mount("none", directory, "tmpfs", 0, NULL) == 0);
	/* In the old namespace there is nothing mounted there. */
	tree = stave_open_tree(namespace, directory, 1, 0);
	EXPECT(tree >= 0);
	EXPECT_NUMBER(stave_open_tree(namespace, "/no/such", 0, 0), -ENOENT);
	EXPECT_NUMBER(stave_open_tree(1, "/", 0, 0), -EINVAL);
	snprintf(link, sizeof link, "%s-link", directory);
	EXPECT(symlink(directory, link) == 0);
	EXPECT_NUMBER(stave_unmount(link), -ELOOP);
	unlink(link);
	EXPECT_NUMBER(stave_unmount(directory), 0);
	EXPECT_NUMBER(stave_unmount(directory), -EINVAL);
	close(tree);
	EXPECT(rmdir(directory) == 0);
}

int main(int count, char **words)
{
	static const struct named_check checks[] = {
	    {"status", check_status},
	    {"ready", check_ready},
	    {"signal", check_signal},
	    {"output", check_output},
	    {"spawn", check_spawn},
	    {"console_socket", check_console_socket},
	    {"launch", check_launch},
	    {"mounts", check_mounts},
	};

	EXPECT(count == 2);
	RUN_NAMED(checks, words[1]);
}
