/* Paths below a root, by openat2 and by the walk on foot: what both find must be the same, and inside.
 *
 *     resolve one ROOT PATH OPTIONS       where the walk ends, relative to the root, or the errno
 *     resolve random ROOT SEED N          N random paths over the names in the root, both ways
 */
#include "interpreter.h"

static int without_openat2;

static int open_at_or_not(int directory, const char *path, uint64_t flags, uint64_t resolve)
{
	return without_openat2 ? -ENOSYS : open_at(directory, path, flags, resolve);
}

#define open_at open_at_or_not
#include "paths.c"
#undef open_at

#include "check.h"

#include <string.h>
#include <unistd.h>

static char place[2 * PATH_LIMIT];

/* The path of a descriptor in `place`. */
static void find_place(int fd)
{
	char link[64];
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, place, sizeof place - 1);
	EXPECT(length > 0);
	place[length] = 0;
}

static int resolve(const char *root, const char *path, int options, char *last)
{
	struct interpreter interpreter = {.root = open_plain(AT_FDCWD, root, O_PATH | O_DIRECTORY)};
	int fd;

	EXPECT(interpreter.root >= 0);
	fd = path_in_root(&interpreter, path, options, last);
	close_descriptor(interpreter.root);
	if (fd < 0)
		return fd;
	find_place(fd);
	close_descriptor(fd);
	EXPECT(strncmp(place, root, strlen(root)) == 0);
	EXPECT(!place[strlen(root)] || place[strlen(root)] == '/');
	return 0;
}

static uint64_t state;

static unsigned random_below(unsigned limit)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state >> 16) % limit;
}

static void random_paths(const char *root, unsigned long count)
{
	static const char *const names[] = {"a", "b", "file", "..", ".", "", "up", "out", "loop", "round", "nosuch", "abs"};
	unsigned long found = 0;

	while (count--) {
		char path[512] = "/", first[sizeof place];
		int options = random_below(4) ? 0 : PATH_NO_SYMLINKS;
		int error, other;

		for (unsigned left = 1 + random_below(8); left; left--) {
			strcat(path, names[random_below(sizeof names / sizeof *names)]);
			strcat(path, "/");
		}
		/* At the end of a file's name a slash is an error; paths of the configuration have none. */
		while (strlen(path) > 1 && path[strlen(path) - 1] == '/')
			path[strlen(path) - 1] = 0;
		without_openat2 = 0;
		error = resolve(root, path, options, NULL);
		strcpy(first, error ? "" : place);
		without_openat2 = 1;
		other = resolve(root, path, options, NULL);
		if (error != other || (!error && strcmp(first, place)))
			fprintf(stderr, "%s %d: %d %s, on foot %d %s\n", path, options, error, first, other, place);
		EXPECT_NUMBER(other, error);
		EXPECT(error || strcmp(first, place) == 0);
		found += !error;
	}
	printf("%lu\n", found);
}

int main(int count, char **words)
{
	char last[256] = "";
	int error;

	if (count == 5 && strcmp(words[1], "random") == 0) {
		state = strtoull(words[3], NULL, 10);
		random_paths(words[2], strtoul(words[4], NULL, 10));
		return 0;
	}
	EXPECT(count == 5 && strcmp(words[1], "one") == 0);
	without_openat2 = 1;
	error = resolve(words[2], words[3], atoi(words[4]), last);
	if (error)
		printf("%d\n", -error);
	else
		printf("%s %s\n", place[strlen(words[2])] ? place + strlen(words[2]) : "/", last);
	return 0;
}
