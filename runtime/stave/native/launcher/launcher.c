/* The installed `stave` and `cooper` (PROGRAM): carries out the command itself if it is a simple one (answer.h),
 * otherwise starts the interpreter that it was built for, isolated.
 *
 * No site module, no environment variables, no user packages: right for a program that root runs, and the
 * quickest start there is. A `#!` line could not do it: installers rewrite it and drop its options.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "answer.h"

#define MAX_ARGUMENTS 4096
/* Collecting garbage on the way costs more than the little that a command leaves lying. */
#define START                                                              \
	"import gc,marshal,posix,sys\n"                                    \
	"gc.disable()\n"                                                   \
	"place=sys.argv.pop(1)\n"                                          \
	"sys.path.insert(0,place)\n"                                       \
	"try:\n"                                                           \
	" file=posix.open(place+'/" PROGRAM "/hot." PYTHON_TAG ".bundle',"       \
	"posix.O_RDONLY|posix.O_CLOEXEC)\n"                                \
	" data=memoryview(posix.read(file,1<<20))\n"                       \
	" posix.close(file)\n"                                             \
	" end=4+int.from_bytes(data[:4],'little')\n"                       \
	" code,index=marshal.loads(data[4:end])\n"                         \
	" exec(code,{'__name__':'stave.native.boot','index':index,'blob':data[end:],'place':place})\n" \
	"except FileNotFoundError:\n"                                      \
	" pass\n"                                                          \
	"from " PROGRAM ".cli.main import main\n"                                \
	"main()"

static const char *const package_places[] = {
    "lib/python" PYTHON_VERSION "/site-packages",
    "lib64/python" PYTHON_VERSION "/site-packages",
    "local/lib/python" PYTHON_VERSION "/dist-packages",
    "lib/python" PYTHON_VERSION "/dist-packages",
    "lib/python3/dist-packages",
};

/* The prefix is the directory above the one this program lies in, links resolved. */
static int find_prefix(char *prefix, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", prefix, size - 1);
	char *slash;

	if (length < 0)
		return -1;
	prefix[length] = 0;
	for (int i = 0; i < 2; i++) {
		slash = strrchr(prefix, '/');
		if (!slash)
			return -1;
		*slash = 0;
	}
	return 0;
}

static int find_packages(const char *prefix, char *place, size_t size)
{
	char module[PATH_MAX];

	for (size_t i = 0; i < sizeof package_places / sizeof package_places[0]; i++) {
		if (snprintf(place, size, "%s/%s", prefix, package_places[i]) >= (int)size ||
		    snprintf(module, sizeof module, "%s/" PROGRAM "/cli/main.py", place) >= (int)sizeof module)
			return -1;
		if (access(module, F_OK) == 0)
			return 0;
	}
	return -1;
}

int main(int count, char **arguments)
{
	static char prefix[PATH_MAX - 64], python[PATH_MAX], packages[PATH_MAX];
	static char option[32];
	char *command[MAX_ARGUMENTS + 12] = {python, "-I", "-S", "-X", "utf8"};
	int used = 5, connection;

	/* Or the first file that is opened would be taken for a standard stream. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return 1;
	if (answer(count - 1, arguments + 1, &connection))
		return 0;
	if (count > MAX_ARGUMENTS) {
		fputs(PROGRAM ": too many arguments\n", stderr);
		return 1;
	}
	if (find_prefix(prefix, sizeof prefix) || find_packages(prefix, packages, sizeof packages)) {
		fprintf(stderr, PROGRAM ": the package is not installed below %s\n", prefix);
		return 1;
	}
	if (connection >= 0) {
		/* Only here: an option of the interpreter is nothing that the caller could give. */
		snprintf(option, sizeof option, "start-connection=%d", connection);
		fcntl(connection, F_SETFD, 0);
		command[used++] = "-X";
		command[used++] = option;
	}
	command[used++] = "-c";
	command[used++] = START;
	command[used++] = packages;
	for (int i = 1; i < count; i++)
		command[used++] = arguments[i];
	command[used] = NULL;
	snprintf(python, sizeof python, "%s/bin/python" PYTHON_VERSION, prefix);
	execv(python, command);
	strcpy(python, PYTHON_EXECUTABLE);
	execv(python, command);
	perror(PROGRAM ": " PYTHON_EXECUTABLE);
	return 1;
}
