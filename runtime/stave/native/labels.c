/* What security modules call the process and its files.
 *
 * A label takes effect at the next execve. Its file in /proc/self/attr is opened early, through the host's
 * procfs: the container's may be anything. The kernel takes the text only from the process that opened the
 * file, so that is done after the last fork.
 */
#include "interpreter.h"

#define LABEL_ATTRIBUTE "security.selinux"

int op_open_proc(struct interpreter *interpreter)
{
	if (interpreter->proc >= 0)
		return 0;
	STEP(interpreter, "open", "/proc");
	interpreter->proc = open_plain(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY);
	if (interpreter->proc >= 0 && file_system_type(interpreter->proc) != PROC_SUPER_MAGIC) {
		close_descriptor(interpreter->proc);
		interpreter->proc = -EXDEV;
	}
	return interpreter->proc < 0 ? interpreter->proc : 0;
}

int op_open_label(struct interpreter *interpreter)
{
	uint64_t resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
	uint32_t count = program_list_length(&interpreter->program, interpreter->operation, 1);
	int64_t slot = number(interpreter, 0);
	OWNED attributes = -1;
	int fd = -ENOENT;

	if (slot < 0 || slot >= LABEL_SLOTS)
		return -EINVAL;
	CHECK(op_open_proc(interpreter));
	STEP(interpreter, "open", "/proc/self/attr");
	attributes = open_at(interpreter->proc, "self/attr", O_PATH | O_DIRECTORY, resolve);
	CHECK(attributes);
	for (uint32_t i = 0; i < count && fd == -ENOENT; i++) {
		const char *file =
		    program_list_item(&interpreter->program, interpreter->operation, 1, i);

		STEP(interpreter, "open /proc/self/attr/", file);
		fd = open_at(attributes, file, O_WRONLY, resolve | RESOLVE_NO_SYMLINKS);
	}
	CHECK(fd);
	interpreter->labels[slot] = fd;
	return 0;
}

int op_write_label(struct interpreter *interpreter)
{
	int64_t slot = number(interpreter, 0);
	const char *label = text(interpreter, 1);
	int error;

	STEP(interpreter, "write", label);
	if (slot < 0 || slot >= LABEL_SLOTS)
		return -EINVAL;
	error = write_all(interpreter->labels[slot], label, text_length(label));
	close_descriptor(KEEP(interpreter->labels[slot]));
	return error;
}

/* For file systems that take no label as an option. Opened for reading, as a path descriptor takes no attributes. */
int op_label_path(struct interpreter *interpreter)
{
	const char *path = text(interpreter, 0), *label = text(interpreter, 1);
	uint64_t resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS;
	OWNED fd = -1;

	STEP(interpreter, "label", path);
	fd = open_at(interpreter->root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, resolve);
	CHECK(fd);
	return (int)SYS5(__NR_fsetxattr, fd, LABEL_ATTRIBUTE, label, text_length(label), 0);
}
