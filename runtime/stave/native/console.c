/* The container's terminal. */
#include "interpreter.h"

#include <asm/ioctls.h>
#include <asm/termios.h>

static int open_master(struct interpreter *interpreter)
{
	OWNED directory = -1;
	OWNED master = -1;

	STEP(interpreter, "open", "/dev/pts/ptmx");
	directory = path_in_root(interpreter, "/dev/pts", 0, NULL);
	CHECK(directory);
	if (file_system_type(directory) != DEVPTS_SUPER_MAGIC) {
		STEP(interpreter, "a terminal needs a devpts file system at", "/dev/pts");
		return -ENODEV;
	}
	master = open_plain(directory, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW);
	CHECK(master);
	if (file_system_type(master) != DEVPTS_SUPER_MAGIC)
		return -EXDEV; /* something is mounted over it */
	return KEEP(master);
}

/* The slave comes from the master (TIOCGPTPEER), never from a path that the container could bend. */
static int open_slave(struct interpreter *interpreter, int master)
{
	int unlock = 0;

	STEP(interpreter, "unlock the terminal", NULL);
	CHECK(SYS3(__NR_ioctl, master, TIOCSPTLCK, &unlock));
	STEP(interpreter, "open the terminal's other end", NULL);
	return (int)SYS3(__NR_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static int bind_console(struct interpreter *interpreter, int slave)
{
	OWNED target = -1;
	OWNED mount = -1;

	STEP(interpreter, "open target", "/dev/console");
	target = path_in_root(interpreter, "/dev/console", PATH_CREATE_FILE | PATH_NO_SYMLINKS, NULL);
	CHECK(target);
	STEP(interpreter, "clone the terminal", NULL);
	mount = (int)SYS3(__NR_open_tree, slave, "",
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	CHECK(mount);
	STEP(interpreter, "attach to", "/dev/console");
	return (int)SYS5(__NR_move_mount, mount, "", target, "",
			 MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int op_open_console(struct interpreter *interpreter)
{
	struct winsize size = {.ws_row = (unsigned short)number(interpreter, 0),
			       .ws_col = (unsigned short)number(interpreter, 1)};
	char name[32] = "/dev/pts/";
	int index = 0;
	OWNED master = -1;
	OWNED slave = -1;

	master = open_master(interpreter);
	CHECK(master);
	slave = open_slave(interpreter, master);
	CHECK(slave);
	if (size.ws_row || size.ws_col) {
		STEP(interpreter, "set the terminal's size", NULL);
		CHECK(SYS3(__NR_ioctl, slave, TIOCSWINSZ, &size));
	}
	if (number(interpreter, 2))
		CHECK(bind_console(interpreter, slave));
	CHECK(SYS3(__NR_ioctl, master, TIOCGPTN, &index));
	text_append_number(name, sizeof name, index);
	STEP(interpreter, "send the terminal to the runtime", NULL);
	CHECK(send_message(interpreter, MESSAGE_CONSOLE, 0, 0, master, name));
	for (int fd = 0; fd < 3; fd++)
		CHECK(SYS3(__NR_dup3, slave, fd, 0));
	interpreter->has_console = 1;
	return 0;
}

int op_new_session(struct interpreter *interpreter)
{
	long error = SYS0(__NR_setsid);

	STEP(interpreter, "setsid", NULL);
	/* A process that leads a group already has nothing to do. */
	if (error < 0 && error != -EPERM)
		return (int)error;
	if (!interpreter->has_console)
		return 0;
	STEP(interpreter, "make the terminal the controlling one", NULL);
	return (int)SYS3(__NR_ioctl, 0, TIOCSCTTY, 0);
}

/* So that the user can reopen /dev/stdout. The null device and what already is his stay as they are;
 * a file system may refuse. */
int op_own_stdio(struct interpreter *interpreter)
{
	int64_t uid = number(interpreter, 0);
	struct statx status;

	for (int fd = 0; fd < 3; fd++) {
		long error;

		STEP(interpreter, "fchown standard stream", NULL);
		error = stat_descriptor(fd, &status);
		if (error == -EBADF)
			continue;
		CHECK(error);
		if (status.stx_uid == uid || (S_TYPE(status.stx_mode) == S_CHARACTER &&
					      status.stx_rdev_major == 1 && status.stx_rdev_minor == 3))
			continue;
		error = SYS3(__NR_fchown, fd, uid, -1);
		if (error != -EPERM && error != -EINVAL && error != -EROFS)
			CHECK(error);
	}
	return 0;
}
