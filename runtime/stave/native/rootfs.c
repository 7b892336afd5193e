/* From the host's root to the container's. */
#include "interpreter.h"

#include <linux/kdev_t.h>

#define MS_MOVE_ 8192
#define MS_PRIVATE_ (1 << 18)
#define MS_SLAVE_ (1 << 19)
#define MNT_DETACH_ 2

static int change_mount(const char *source, const char *path, unsigned long flags)
{
	return (int)SYS5(__NR_mount, source, path, NULL, flags, NULL);
}

int op_set_propagation(struct interpreter *interpreter)
{
	STEP(interpreter, "set propagation", "/");
	return change_mount(NULL, "/", (unsigned long)number(interpreter, 0));
}

/* pivot_root(2) refuses a new root whose parent mount is shared. The mount that holds the path is the one
 * at the longest of its prefixes that is a mount point: elsewhere the kernel says EINVAL. */
static int make_parent_private(const char *path)
{
	char prefix[PATH_LIMIT] = "";
	size_t length;
	int error;

	text_append(prefix, sizeof prefix, path);
	length = text_length(prefix);
	for (;;) {
		error = change_mount(NULL, length ? prefix : "/", MS_PRIVATE_);
		if (error != -EINVAL || length == 0)
			return error;
		while (length && prefix[--length] != '/')
			;
		prefix[length] = 0;
	}
}

/* What comes from the host and cannot be had once the root has changed. */
static int open_host_files(struct interpreter *interpreter)
{
	struct statx status;

	op_open_proc(interpreter);
	interpreter->null_mount = (int)SYS3(__NR_open_tree, AT_FDCWD, "/dev/null",
					    OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (interpreter->null_mount < 0)
		return 0; /* only an error if something is to be masked */
	CHECK(stat_descriptor(interpreter->null_mount, &status));
	if (S_TYPE(status.stx_mode) != S_CHARACTER || status.stx_rdev_major != 1 ||
	    status.stx_rdev_minor != 3) {
		STEP(interpreter, "not the null device", "/dev/null");
		return -ENODEV;
	}
	return 0;
}

int op_open_root(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	OWNED tree = -1;

	CHECK(open_host_files(interpreter));
	STEP(interpreter, "open", path);
	if (!number(interpreter, 1)) {
		interpreter->root = open_plain(AT_FDCWD, path, O_PATH | O_DIRECTORY);
		return interpreter->root < 0 ? interpreter->root : 0;
	}
	if (number(interpreter, 2)) {
		STEP(interpreter, "make the parent mount private", path);
		CHECK(make_parent_private(path));
	}
	STEP(interpreter, "bind over itself", path);
	tree = (int)SYS3(__NR_open_tree, AT_FDCWD, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	CHECK(tree);
	CHECK(SYS5(__NR_move_mount, tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH));
	interpreter->root = KEEP(tree);
	return 0;
}

/* pivot_root(".", ".") stacks the old root under the new one's "/": pivot_root(2), NOTES. */
int op_pivot_root(struct interpreter *interpreter)
{
	OWNED old = -1;

	STEP(interpreter, "open", "/");
	old = open_plain(AT_FDCWD, "/", O_PATH | O_DIRECTORY);
	CHECK(old);
	STEP(interpreter, "fchdir", NULL);
	CHECK(SYS1(__NR_fchdir, interpreter->root));
	STEP(interpreter, "pivot_root", NULL);
	CHECK(SYS2(__NR_pivot_root, ".", "."));
	CHECK(SYS1(__NR_fchdir, old));
	/* Or the unmounting below would reach the host. */
	STEP(interpreter, "make the old root a slave", NULL);
	CHECK(change_mount(NULL, ".", MS_SLAVE_ | MS_REC));
	STEP(interpreter, "unmount the old root", NULL);
	CHECK(SYS2(__NR_umount2, ".", MNT_DETACH_));
	return (int)SYS1(__NR_chdir, "/");
}

static int change_root(struct interpreter *interpreter)
{
	STEP(interpreter, "chroot", NULL);
	CHECK(SYS1(__NR_chroot, "."));
	return (int)SYS1(__NR_chdir, "/");
}

int op_move_root(struct interpreter *interpreter)
{
	STEP(interpreter, "fchdir", NULL);
	CHECK(SYS1(__NR_fchdir, interpreter->root));
	STEP(interpreter, "move the root to", "/");
	CHECK(change_mount(".", "/", MS_MOVE_));
	return change_root(interpreter);
}

int op_change_root(struct interpreter *interpreter)
{
	STEP(interpreter, "fchdir", NULL);
	CHECK(SYS1(__NR_fchdir, interpreter->root));
	return change_root(interpreter);
}

int op_set_root(struct interpreter *interpreter)
{
	int64_t propagation = number(interpreter, 1);
	struct mount_attr attributes = {.propagation = (uint64_t)propagation & ~(uint64_t)MS_REC};
	unsigned recursive = propagation & MS_REC ? AT_RECURSIVE : 0;

	if (propagation) {
		STEP(interpreter, "set propagation", "/");
		CHECK(SYS5(__NR_mount_setattr, AT_FDCWD, "/", recursive, &attributes,
			   sizeof attributes));
	}
	attributes = (struct mount_attr){.attr_set = (uint64_t)number(interpreter, 0)};
	if (!attributes.attr_set)
		return 0;
	STEP(interpreter, "set attributes", "/");
	return (int)SYS5(__NR_mount_setattr, AT_FDCWD, "/", 0, &attributes, sizeof attributes);
}

int op_make_directory(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	char name[256];
	OWNED parent = -1;
	int error;

	STEP(interpreter, "make directory", path);
	parent = path_in_root(interpreter, path, PATH_PARENT | PATH_CREATE_DIRECTORY, name);
	if (parent == -EISDIR)
		return 0; /* the root itself */
	CHECK(parent);
	error = (int)SYS3(__NR_mkdirat, parent, name, number(interpreter, 1));
	return error == -EEXIST ? 0 : error;
}

int op_make_symlink(struct interpreter *interpreter)
{
	const char *contents = text(interpreter, 0), *path = text(interpreter, 1);
	char name[256];
	OWNED parent = -1;
	int error;

	STEP(interpreter, "make symbolic link", path);
	parent = path_in_root(interpreter, path, PATH_PARENT | PATH_CREATE_DIRECTORY, name);
	CHECK(parent);
	error = (int)SYS3(__NR_symlinkat, contents, parent, name);
	if (error != -EEXIST)
		return error;
	CHECK(SYS3(__NR_unlinkat, parent, name, 0));
	return (int)SYS3(__NR_symlinkat, contents, parent, name);
}

/* An existing node of the same type and number will do (an image may ship it); anything else is an error. */
static int same_node(int parent, const char *name, int64_t mode, int64_t major, int64_t minor)
{
	struct statx status;

	CHECK(SYS5(__NR_statx, parent, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status));
	if (S_TYPE(status.stx_mode) == S_TYPE(mode) && status.stx_rdev_major == major &&
	    status.stx_rdev_minor == minor)
		return 0;
	return -EEXIST;
}

int op_make_node(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	int64_t mode = number(interpreter, 1), major = number(interpreter, 2),
		minor = number(interpreter, 3), uid = number(interpreter, 4), gid = number(interpreter, 5);
	/* The kernel's own encoding of large device numbers for mknod(2). */
	uint64_t device = (uint64_t)((minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffLL) << 12);
	char name[256];
	OWNED parent = -1;
	int error;

	STEP(interpreter, "make device", path);
	parent = path_in_root(interpreter, path, PATH_PARENT | PATH_CREATE_DIRECTORY, name);
	CHECK(parent);
	error = (int)SYS4(__NR_mknodat, parent, name, mode, device);
	if (error == -EEXIST)
		return same_node(parent, name, mode, major, minor);
	if (error == 0 && (uid || gid)) {
		STEP(interpreter, "change owner of device", path);
		error = (int)SYS5(__NR_fchownat, parent, name, uid, gid, AT_SYMLINK_NOFOLLOW);
	}
	return error;
}
