/* Paths below the container's root.
 *
 * Whatever lies there may be changed by somebody else between two system calls, so nothing is ever
 * looked up twice: a path becomes a descriptor, and the descriptor is what is used. openat2(2) with
 * RESOLVE_IN_ROOT does that in one step. Where something must be created, or an outer seccomp filter
 * hides openat2, walk() goes component by component: links are read and expanded by hand, ".." goes
 * back to a descriptor already held, so no move or swap of directories can lead out of the root.
 */
#include "interpreter.h"

#define DEPTH_LIMIT 128
#define LINK_LIMIT 40

struct walk {
	int stack[DEPTH_LIMIT]; /* the directories from the root (not included) to here */
	int depth;
	int root;
	int links;
	char rest[2 * PATH_LIMIT];
};

static int here(const struct walk *walk)
{
	return walk->depth ? walk->stack[walk->depth - 1] : walk->root;
}

static void walk_up(struct walk *walk, int depth)
{
	while (walk->depth > depth)
		close_descriptor(walk->stack[--walk->depth]);
}

static int set_rest(struct walk *walk, const char *first, const char *second)
{
	char joined[2 * PATH_LIMIT];

	if (text_length(first) + text_length(second) + 2 > sizeof joined)
		return -ENAMETOOLONG;
	joined[0] = 0;
	text_append(joined, sizeof joined, first);
	text_append(joined, sizeof joined, "/");
	text_append(joined, sizeof joined, second);
	walk->rest[0] = 0;
	text_append(walk->rest, sizeof walk->rest, joined);
	return 0;
}

/* Takes the first component off walk->rest. Returns its length, 0 at the end of the path. */
static int next_component(struct walk *walk, char *component, size_t size, int *is_last)
{
	const char *at = walk->rest;
	size_t length = 0;

	while (*at == '/')
		at++;
	while (at[length] && at[length] != '/')
		length++;
	if (length >= size)
		return -ENAMETOOLONG;
	__builtin_memcpy(component, at, length);
	component[length] = 0;
	at += length;
	while (*at == '/')
		at++;
	*is_last = *at == 0;
	__builtin_memmove(walk->rest, at, text_length(at) + 1);
	return (int)length;
}

static int follow_link(struct walk *walk, int link)
{
	char target[PATH_LIMIT];
	long length = SYS4(__NR_readlinkat, link, "", target, sizeof target - 1);

	if (length < 0)
		return (int)length;
	if (++walk->links > LINK_LIMIT)
		return -ELOOP;
	target[length] = 0;
	if (target[0] == '/')
		walk_up(walk, 0);
	return set_rest(walk, target, walk->rest);
}

static int create_component(int directory, const char *name, int as_file)
{
	long error = as_file ? SYS4(__NR_mknodat, directory, name, S_REGULAR | 0644, 0)
			     : SYS3(__NR_mkdirat, directory, name, 0755);

	return error == -EEXIST ? 0 : (int)error;
}

static int enter(struct walk *walk, const char *name, int options, int is_last)
{
	struct statx status;
	int creates = options & (PATH_CREATE_DIRECTORY | PATH_CREATE_FILE);
	int fd = open_plain(here(walk), name, O_PATH | O_NOFOLLOW);

	if (fd == -ENOENT && creates) {
		CHECK(create_component(here(walk), name, is_last && (options & PATH_CREATE_FILE)));
		fd = open_plain(here(walk), name, O_PATH | O_NOFOLLOW);
	}
	CHECK(fd);
	int error = stat_descriptor(fd, &status);
	if (!error && S_TYPE(status.stx_mode) == S_SYMLINK && !(is_last && options & PATH_LAST_LINK)) {
		error = options & PATH_NO_SYMLINKS ? -ELOOP : follow_link(walk, fd);
	} else if (!error && !is_last && S_TYPE(status.stx_mode) != S_DIRECTORY) {
		error = -ENOTDIR; /* also before "..", which is never looked up */
	} else if (!error && walk->depth == DEPTH_LIMIT) {
		error = -ENAMETOOLONG;
	} else if (!error) {
		walk->stack[walk->depth++] = fd;
		return 0;
	}
	close_descriptor(fd);
	return error;
}

static int walk_path(struct walk *walk, const char *path, int options, char *last)
{
	char component[256];
	int is_last = 0;

	CHECK(set_rest(walk, path, ""));
	for (;;) {
		int length = next_component(walk, component, sizeof component, &is_last);

		if (length < 0)
			return length;
		if (length == 0)
			return options & PATH_PARENT ? -EISDIR : 0;
		if (text_equal(component, "."))
			continue;
		if (text_equal(component, "..")) {
			walk_up(walk, walk->depth ? walk->depth - 1 : 0);
			continue;
		}
		if (is_last && options & PATH_PARENT) {
			last[0] = 0;
			text_append(last, 256, component);
			return 0;
		}
		CHECK(enter(walk, component, options, is_last));
	}
}

/* An O_PATH descriptor of `path` below the root; `last` (256 bytes) only with PATH_PARENT. */
int path_in_root(struct interpreter *interpreter, const char *path, int options, char *last)
{
	struct walk walk = {.depth = 0};
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
	OWNED own_root = -1;
	int fd, error;

	walk.root = interpreter->root;
	if (walk.root < 0) {
		own_root = open_plain(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
		CHECK(own_root);
		walk.root = own_root;
	}
	if (!(options & PATH_PARENT)) {
		if (options & PATH_NO_SYMLINKS)
			resolve |= RESOLVE_NO_SYMLINKS;
		fd = open_at(walk.root, path, O_PATH | (options & PATH_LAST_LINK ? O_NOFOLLOW : 0), resolve);
		if (fd >= 0 || !(fd == -ENOENT || fd == -ENOSYS || fd == -EPERM || fd == -EAGAIN))
			return fd;
	}
	error = walk_path(&walk, path, options, last);
	fd = error ? error : (int)SYS3(__NR_fcntl, here(&walk), F_DUPFD_CLOEXEC, 3);
	walk_up(&walk, 0);
	return fd;
}
