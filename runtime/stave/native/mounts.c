/* Mounts: prepared detached, then attached to a descriptor of their target. */
#include "interpreter.h"

/* As in stave/plan/operations.py. */
#define MOUNT_RECURSIVE 1
#define MOUNT_REAL_TARGET 2
#define MOUNT_ON_PROC 4
#define MOUNT_COPY_UP 8
#define MOUNT_KEEP_MODE 16
#define MOUNT_OPENED 32
#define MOUNT_COPY_LINK 64
#define MOUNT_LINK_SOURCE 128
#define MOUNT_LINK_TARGET 256
#define MOUNT_MAPPED 512

/* umount2(2); <sys/mount.h> cannot be included beside <linux/mount.h>. */
#define MNT_DETACH_ 2
#define UMOUNT_NOFOLLOW_ 8

#define OPTION_TEXT 4096

/* What the file system itself says about a refusal, e.g. "overlay: invalid option", goes into the report. */
static void note_log(struct interpreter *interpreter, int context)
{
	long length = SYS3(__NR_read, context, interpreter->note, sizeof interpreter->note - 1);

	if (length <= 0)
		return;
	while (length && interpreter->note[length - 1] == '\n')
		length--;
	interpreter->note[length] = 0;
}

static int configure(struct interpreter *interpreter, int context, unsigned command,
		     const char *key, const char *value)
{
	int error = (int)SYS5(__NR_fsconfig, context, command, key, value, 0);

	if (error < 0)
		note_log(interpreter, context);
	return error;
}

static int set_parameter(struct interpreter *interpreter, int context, const char *parameter)
{
	char key[OPTION_TEXT];
	size_t length = 0;

	while (parameter[length] && parameter[length] != '=')
		length++;
	if (!parameter[length])
		return configure(interpreter, context, FSCONFIG_SET_FLAG, parameter, NULL);
	if (length >= sizeof key)
		return -ENAMETOOLONG;
	__builtin_memcpy(key, parameter, length);
	key[length] = 0;
	return configure(interpreter, context, FSCONFIG_SET_STRING, key, parameter + length + 1);
}

static int set_parameters(struct interpreter *interpreter, int context, unsigned argument)
{
	uint32_t count =
	    program_list_length(&interpreter->program, interpreter->operation, argument);

	for (uint32_t i = 0; i < count; i++) {
		const char *parameter = program_list_item(&interpreter->program,
							  interpreter->operation, argument, i);

		STEP(interpreter, "option", parameter);
		CHECK(set_parameter(interpreter, context, parameter));
	}
	return 0;
}

static int set_attributes(int mount, uint64_t set, uint64_t clear, uint64_t propagation, int recursive)
{
	struct mount_attr attributes = {
	    .attr_set = set, .attr_clr = clear, .propagation = propagation & ~(uint64_t)MS_REC};

	if (!(set | clear | propagation))
		return 0;
	return (int)SYS5(__NR_mount_setattr, mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
			 &attributes, sizeof attributes);
}

static int set_propagation(struct interpreter *interpreter, int mount, int64_t propagation)
{
	STEP(interpreter, "set propagation", NULL);
	return set_attributes(mount, 0, 0, (uint64_t)propagation, (propagation & MS_REC) != 0);
}

static int attach(struct interpreter *interpreter, int mount, int target)
{
	(void)interpreter;
	return (int)SYS5(__NR_move_mount, mount, "", target, "",
			 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static int open_target(struct interpreter *interpreter, const char *path, int64_t options, int create)
{
	int target;

	STEP(interpreter, "open target", path);
	if (options & MOUNT_REAL_TARGET)
		create |= PATH_NO_SYMLINKS;
	if (options & MOUNT_LINK_TARGET)
		create |= PATH_LAST_LINK;
	target = path_in_root(interpreter, path, create, NULL);
	/* Through a link or a race a harmless looking path could end on a file of /proc, and what is mounted
	 * there would change what other containers and the host are told. */
	if (target >= 0 && !(options & MOUNT_ON_PROC) &&
	    file_system_type(target) == PROC_SUPER_MAGIC) {
		close_descriptor(target);
		return -EPERM;
	}
	return target;
}

static int take_source(struct interpreter *interpreter)
{
	if (interpreter->sources_taken == interpreter->sources_count)
		return -EBADF;
	return interpreter->sources[interpreter->sources_taken++];
}

static int map_owners(struct interpreter *interpreter, int mount)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP};
	OWNED user_namespace = take_source(interpreter);

	CHECK(user_namespace);
	attributes.userns_fd = (uint64_t)user_namespace;
	return (int)SYS5(__NR_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

static int new_file_system(struct interpreter *interpreter, const char *type, const char *source,
			   unsigned parameters, uint64_t attributes)
{
	OWNED context = -1;
	int mount;

	STEP(interpreter, "fsopen", type);
	context = (int)SYS2(__NR_fsopen, type, FSOPEN_CLOEXEC);
	CHECK(context);
	if (source) {
		STEP(interpreter, "source", source);
		CHECK(configure(interpreter, context, FSCONFIG_SET_STRING, "source", source));
	}
	CHECK(set_parameters(interpreter, context, parameters));
	STEP(interpreter, "create the file system", type);
	CHECK(configure(interpreter, context, FSCONFIG_CMD_CREATE, NULL, NULL));
	STEP(interpreter, "fsmount", type);
	mount = (int)SYS3(__NR_fsmount, context, FSMOUNT_CLOEXEC, attributes);
	if (mount < 0)
		note_log(interpreter, context);
	return mount;
}

int op_mount(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 2);
	int64_t options = number(interpreter, 6);
	OWNED mount = -1;
	OWNED target = -1;
	int existed;

	mount = new_file_system(interpreter, text(interpreter, 0), text(interpreter, 1), 5,
				(uint64_t)number(interpreter, 3));
	CHECK(mount);
	target = open_target(interpreter, path, options, 0);
	existed = target >= 0;
	if (target == -ENOENT)
		target = open_target(interpreter, path, options, PATH_CREATE_DIRECTORY);
	CHECK(target);
	if (existed && options & (MOUNT_KEEP_MODE | MOUNT_COPY_UP)) {
		STEP(interpreter, "copy from", path);
		CHECK(copy_directory(target, mount, options & MOUNT_KEEP_MODE, options & MOUNT_COPY_UP));
	}
	if (options & MOUNT_MAPPED) {
		STEP(interpreter, "map the owners of", text(interpreter, 0));
		CHECK(map_owners(interpreter, mount));
	}
	STEP(interpreter, "attach to", path);
	CHECK(attach(interpreter, mount, target));
	return set_propagation(interpreter, mount, number(interpreter, 4));
}

static int clone_tree(int directory, const char *path, unsigned flags)
{
	return (int)SYS3(__NR_open_tree, directory, path,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
			     flags);
}

/* A directory for a directory, a file for anything else. */
static int kind_of_target(int source)
{
	struct statx status;

	CHECK(stat_descriptor(source, &status));
	return S_TYPE(status.stx_mode) == S_DIRECTORY ? PATH_CREATE_DIRECTORY : PATH_CREATE_FILE;
}

/* The kernel says EINVAL of a directory on a file and of a file on a directory, as of much else. */
static int attach_bind(struct interpreter *interpreter, int mount, int target, int kind)
{
	int error = attach(interpreter, mount, target);
	int target_kind = error == -EINVAL ? kind_of_target(target) : kind;

	if (target_kind < 0 || target_kind == kind)
		return error;
	return kind == PATH_CREATE_DIRECTORY ? -ENOTDIR : -EISDIR;
}

/* 1 if the source is no symbolic link, else the same one is there at `path`. */
static int copy_link(struct interpreter *interpreter, int source, const char *path)
{
	char contents[PATH_LIMIT], found[PATH_LIMIT], name[256];
	struct statx status;
	long length;
	OWNED parent = -1;
	int error;

	CHECK(stat_descriptor(source, &status));
	if (S_TYPE(status.stx_mode) != S_SYMLINK)
		return 1;
	length = SYS4(__NR_readlinkat, source, "", contents, sizeof contents - 1);
	CHECK(length);
	contents[length] = 0;
	STEP(interpreter, "make symbolic link", path);
	parent = path_in_root(interpreter, path, PATH_PARENT | PATH_CREATE_DIRECTORY, name);
	CHECK(parent);
	error = (int)SYS3(__NR_symlinkat, contents, parent, name);
	if (error != -EEXIST)
		return error;
	length = SYS4(__NR_readlinkat, parent, name, found, sizeof found - 1);
	if (length < 0)
		return -EEXIST;
	found[length] = 0;
	return text_equal(contents, found) ? 0 : -EEXIST;
}

int op_bind(struct interpreter *interpreter)
{
	const char *source = text(interpreter, 0), *path = text(interpreter, 1);
	int64_t options = number(interpreter, 7);
	OWNED mount = -1;
	OWNED target = -1;
	int kind, error;

	STEP(interpreter, "open source", source);
	if (options & MOUNT_OPENED)
		mount = take_source(interpreter);
	else
		mount = clone_tree(AT_FDCWD, source,
				   (options & MOUNT_RECURSIVE ? AT_RECURSIVE : 0) |
				       (options & (MOUNT_COPY_LINK | MOUNT_LINK_SOURCE) ? AT_SYMLINK_NOFOLLOW
										       : 0));
	CHECK(mount);
	if (options & MOUNT_COPY_LINK) {
		error = copy_link(interpreter, mount, path);
		if (error <= 0)
			return error;
	}
	kind = kind_of_target(mount);
	CHECK(kind);
	STEP(interpreter, "set recursive attributes", source);
	CHECK(set_attributes(mount, (uint64_t)number(interpreter, 4), (uint64_t)number(interpreter, 5), 0, 1));
	STEP(interpreter, "set attributes", source);
	CHECK(set_attributes(mount, (uint64_t)number(interpreter, 2), (uint64_t)number(interpreter, 3), 0, 0));
	target = open_target(interpreter, path, options, kind);
	CHECK(target);
	STEP(interpreter, "attach to", path);
	CHECK(attach_bind(interpreter, mount, target, kind));
	return set_propagation(interpreter, mount, number(interpreter, 6));
}

int op_remount(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	OWNED target = -1;
	OWNED context = -1;

	target = open_target(interpreter, path, number(interpreter, 5) | MOUNT_ON_PROC, 0);
	CHECK(target);
	if (program_list_length(&interpreter->program, interpreter->operation, 4)) {
		STEP(interpreter, "fspick", path);
		context = (int)SYS3(__NR_fspick, target, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);
		CHECK(context);
		CHECK(set_parameters(interpreter, context, 4));
		STEP(interpreter, "reconfigure", path);
		CHECK(configure(interpreter, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL));
	}
	STEP(interpreter, "set attributes", path);
	CHECK(set_attributes(target, (uint64_t)number(interpreter, 1), (uint64_t)number(interpreter, 2), 0, 0));
	return set_propagation(interpreter, target, number(interpreter, 3));
}

/* By name in the directory that holds it, as umount2(2) takes no descriptor; so it leads nowhere else. */
int op_unmount(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	char name[256];
	OWNED parent = -1;

	STEP(interpreter, "unmount", path);
	parent = path_in_root(interpreter, path, PATH_PARENT, name);
	CHECK(parent);
	CHECK(SYS1(__NR_fchdir, parent));
	return (int)SYS2(__NR_umount2, name, MNT_DETACH_ | UMOUNT_NOFOLLOW_);
}

int op_bind_node(struct interpreter *interpreter)
{
	const char *source = text(interpreter, 0), *path = text(interpreter, 1);
	OWNED mount = -1;
	OWNED target = -1;

	STEP(interpreter, "open source", source);
	mount = clone_tree(AT_FDCWD, source, 0);
	CHECK(mount);
	target = open_target(interpreter, path, 0, PATH_CREATE_FILE);
	CHECK(target);
	STEP(interpreter, "attach to", path);
	return attach(interpreter, mount, target);
}

/* Before 6.15 a detached mount cannot be cloned; so the first one is attached itself, and the others are
 * clones of it. One empty tmpfs and one /dev/null serve every masked path. */
static int attach_shared(struct interpreter *interpreter, int *mount, int *attached, int target)
{
	OWNED clone = -1;

	if (!*attached) {
		CHECK(attach(interpreter, *mount, target));
		*attached = 1;
		return 0;
	}
	clone = clone_tree(*mount, "", 0);
	CHECK(clone);
	return attach(interpreter, clone, target);
}

static int new_empty_mount(const char *label)
{
	OWNED context = (int)SYS2(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC);

	CHECK(context);
	CHECK(SYS5(__NR_fsconfig, context, FSCONFIG_SET_STRING, "nr_inodes", "1", 0));
	CHECK(SYS5(__NR_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0555", 0));
	if (label)
		CHECK(SYS5(__NR_fsconfig, context, FSCONFIG_SET_STRING, "context", label, 0));
	CHECK(SYS5(__NR_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	return (int)SYS3(__NR_fsmount, context, FSMOUNT_CLOEXEC,
			 MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			     MOUNT_ATTR_NOEXEC);
}

/* Missing paths need no mask; ENOTDIR is one whose parent was masked by a file. */
static int is_absent(int target)
{
	return target == -ENOENT || target == -ENOTDIR;
}

int op_mask_path(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	struct statx status;
	int attached;
	OWNED target = -1;

	STEP(interpreter, "open", path);
	target = path_in_root(interpreter, path, 0, NULL);
	if (is_absent(target))
		return 0;
	CHECK(target);
	CHECK(stat_descriptor(target, &status));
	STEP(interpreter, "mask", path);
	if (S_TYPE(status.stx_mode) != S_DIRECTORY) {
		if (interpreter->null_mount < 0)
			return interpreter->null_mount;
		return attach_shared(interpreter, &interpreter->null_mount,
				     &interpreter->null_attached, target);
	}
	attached = interpreter->empty_mount >= 0;
	if (!attached) {
		interpreter->empty_mount = new_empty_mount(text(interpreter, 1));
		CHECK(interpreter->empty_mount);
	}
	return attach_shared(interpreter, &interpreter->empty_mount, &attached, target);
}

int op_make_readonly(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0);
	OWNED target = -1;
	OWNED mount = -1;

	STEP(interpreter, "open", path);
	target = path_in_root(interpreter, path, 0, NULL);
	if (is_absent(target))
		return 0;
	CHECK(target);
	STEP(interpreter, "bind over itself", path);
	mount = clone_tree(target, "", AT_RECURSIVE);
	CHECK(mount);
	STEP(interpreter, "make read-only", path);
	CHECK(set_attributes(mount, MOUNT_ATTR_RDONLY, 0, 0, 1));
	return attach(interpreter, mount, target);
}
