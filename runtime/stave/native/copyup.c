/* tmpcopyup: a new tmpfs that begins with what it is mounted over.
 *
 * Entries are taken by descriptor and never through a link; what changes meanwhile is copied as it is met.
 */
#include "interpreter.h"

#define DEPTH_LIMIT 64
#define ENTRIES_SIZE 8192

/* What getdents64(2) fills in. */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static int copy_contents(int from, int to, int depth);

static int copy_data(int from, int to, uint64_t size)
{
	while (size) {
		long copied = RETRY(SYS4(__NR_sendfile, to, from, NULL, size));

		if (copied <= 0)
			return (int)copied; /* 0: it has shrunk */
		size -= (uint64_t)copied;
	}
	return 0;
}

static int copy_file(int from, const char *name, int to, const struct statx *status)
{
	OWNED source = open_plain(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
	OWNED copy = -1;

	CHECK(source);
	copy = (int)RETRY(SYS4(__NR_openat, to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
	CHECK(copy);
	return copy_data(source, copy, status->stx_size);
}

static int copy_link(int from, const char *name, int to)
{
	char contents[PATH_LIMIT];
	long length = SYS4(__NR_readlinkat, from, name, contents, sizeof contents - 1);

	CHECK(length);
	contents[length] = 0;
	return (int)SYS3(__NR_symlinkat, contents, to, name);
}

static int copy_subdirectory(int from, const char *name, int to, int depth)
{
	OWNED source = open_plain(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	OWNED copy = -1;

	CHECK(source);
	CHECK(SYS3(__NR_mkdirat, to, name, 0700));
	copy = open_plain(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	CHECK(copy);
	return copy_contents(source, copy, depth + 1);
}

static int copy_node(int to, const char *name, const struct statx *status)
{
	uint64_t device = (status->stx_rdev_minor & 0xffu) | status->stx_rdev_major << 8 |
			  (uint64_t)(status->stx_rdev_minor & ~0xffu) << 12;

	return (int)SYS4(__NR_mknodat, to, name, status->stx_mode, device);
}

static int copy_entry(int from, const char *name, int to, int depth)
{
	struct statx status;

	CHECK(SYS5(__NR_statx, from, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status));
	switch (S_TYPE(status.stx_mode)) {
	case S_REGULAR:
		CHECK(copy_file(from, name, to, &status));
		break;
	case S_DIRECTORY:
		CHECK(copy_subdirectory(from, name, to, depth));
		break;
	case S_SYMLINK:
		CHECK(copy_link(from, name, to));
		break;
	default:
		CHECK(copy_node(to, name, &status));
	}
	CHECK(SYS5(__NR_fchownat, to, name, status.stx_uid, status.stx_gid, AT_SYMLINK_NOFOLLOW));
	if (S_TYPE(status.stx_mode) == S_SYMLINK)
		return 0;
	/* After the change of owner, which clears the set-id bits. */
	return (int)SYS3(__NR_fchmodat, to, name, status.stx_mode & 07777);
}

static int copy_contents(int from, int to, int depth)
{
	char entries[ENTRIES_SIZE] __attribute__((aligned(8)));
	long length;

	if (depth > DEPTH_LIMIT)
		return -ELOOP;
	while ((length = SYS3(__NR_getdents64, from, entries, sizeof entries)) > 0)
		for (long at = 0; at < length;) {
			struct entry *entry = (struct entry *)(void *)(entries + at);

			at += entry->length;
			if (!text_equal(entry->name, ".") && !text_equal(entry->name, ".."))
				CHECK(copy_entry(from, entry->name, to, depth));
		}
	return (int)length;
}

int copy_directory(int from, int to, int keep_mode, int contents)
{
	struct statx status;
	OWNED source = open_plain(from, ".", O_RDONLY | O_DIRECTORY);
	OWNED copy = open_plain(to, ".", O_RDONLY | O_DIRECTORY);

	CHECK(source);
	CHECK(copy);
	if (keep_mode) {
		CHECK(stat_descriptor(source, &status));
		CHECK(SYS2(__NR_fchmod, copy, status.stx_mode & 07777));
	}
	return contents ? copy_contents(source, copy, 0) : 0;
}
