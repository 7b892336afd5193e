/* The installed `stave` and `cooper` (PROGRAM): carries out the command itself if it is a simple one (answer.h),
 * otherwise starts the interpreter that it was built for, isolated: its snapshot, if there is one.
 *
 * No site module, no environment variables, no user packages: right for a program that root runs, and the
 * quickest start there is. A `#!` line could not do it: installers rewrite it and drop its options.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"

#define MAX_ARGUMENTS 4096
#define MAX_OPTIONS 16 /* that go before them */
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

/* The interpreter that is executed without a snapshot: the one beside this program, or where there is none that of
 * the build. */
static void find_python(const char *prefix, char *python, size_t size)
{
	snprintf(python, size, "%s/bin/python" PYTHON_VERSION, prefix);
	if (access(python, X_OK))
		snprintf(python, size, "%s", PYTHON_EXECUTABLE);
}

/* Whether it is the file that it was when the snapshot was made of it: an update, such as one that mends a hole, counts
 * at once. A package's files have the same times wherever it is installed. */
static bool is_unchanged(const char *python)
{
	struct stat file;

	return stat(python, &file) == 0 && file.st_size == PYTHON_SIZE && file.st_mtime == PYTHON_TIME;
}

/* The interpreter as it was when the package was built, modules and all (snapshot/snapshot.c); returns where there is
 * none. */
static void start_snapshot(char *packages, char *connection, char **words, char **command)
{
	static char path[PATH_MAX];
	int used = 0;

	if (snprintf(path, sizeof path, "%s/" PROGRAM "/snapshot." PYTHON_TAG, packages) >= (int)sizeof path)
		return;
	command[used++] = PROGRAM;
	command[used++] = packages;
	command[used++] = connection;
	while ((command[used++] = *words++))
		;
	execv(path, command);
}

/* The interpreter that this program was built for, from the beginning; returns if it cannot be executed. */
static void start_python(char *python, char *packages, const char *connection, char **words,
			 char **command)
{
	static char option[64];
	char *options[] = {python, "-I", "-S", "-X", "utf8", "-X", option, "-c", START, packages, NULL};
	int used = 0;

	/* An option of the interpreter's is nothing that the caller could give. */
	snprintf(option, sizeof option, *connection ? "start-connection=%s" : "utf8", connection);
	for (char **word = options; *word; word++)
		command[used++] = *word;
	while ((command[used++] = *words++))
		;
	execv(python, command);
}

int main(int count, char **arguments)
{
	static char prefix[PATH_MAX - 64], packages[PATH_MAX], python[PATH_MAX], connection[16];
	static char *command[MAX_ARGUMENTS + MAX_OPTIONS];
	int descriptor;

	/* Or the first file that is opened would be taken for a standard stream. */
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd ? O_WRONLY : O_RDONLY) != fd)
			return 1;
	if (answer(count - 1, arguments + 1, &descriptor))
		return 0;
	if (count < 1 || count > MAX_ARGUMENTS) {
		fputs(PROGRAM ": too many arguments\n", stderr);
		return 1;
	}
	if (find_prefix(prefix, sizeof prefix) || find_packages(prefix, packages, sizeof packages)) {
		fprintf(stderr, PROGRAM ": the package is not installed below %s\n", prefix);
		return 1;
	}
	if (descriptor >= 0) {
		snprintf(connection, sizeof connection, "%d", descriptor);
		fcntl(descriptor, F_SETFD, 0);
	}
	find_python(prefix, python, sizeof python);
	if (is_unchanged(python))
		start_snapshot(packages, connection, arguments + 1, command);
	start_python(python, packages, connection, arguments + 1, command);
	fprintf(stderr, PROGRAM ": %s: %s\n", python, strerror(errno));
	return 1;
}
