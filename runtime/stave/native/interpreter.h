/* Executes a Program inside the container's first process (or a process that joins a container).
 *
 * Convention: a function returns 0 (or a descriptor, or a length) on success and a negative errno on
 * failure. It neither prints nor exits. STEP() says beforehand which part of an operation is tried
 * and on what; that is what a failure is reported with.
 */
#ifndef STAVE_INTERPRETER_H
#define STAVE_INTERPRETER_H

#include "messages.h"
#include "program.h"
#include "syscalls.h"

#define PATH_LIMIT 4096
#define LABEL_SLOTS 3

struct interpreter {
	struct program program;
	const struct program_operation *operation; /* the one being executed */
	uint32_t index;

	int control;  /* to the runtime; after `wait_for_start`, to `stave start` */
	int listener; /* where `stave start` connects, or -1 */
	int root;     /* the container's root file system, or -1: this process's own root */
	int proc;     /* the host's procfs, opened before the root changes, or -1 */

	int labels[LABEL_SLOTS]; /* files of /proc/self/attr to be written later, or -1 */

	int null_mount; /* a clone of the host's /dev/null; attached somewhere once null_attached */
	int null_attached;
	int empty_mount; /* the read-only tmpfs that hides directories, once attached */
	int has_console; /* stdin is the slave of a terminal to be made the controlling one */

	int *sources; /* sent by the runtime, in the order of the binds that take them */
	uint32_t sources_count, sources_taken;

	int preserve; /* how many descriptors from 3 on belong to the program */
	uint64_t *times;

	const char *step;
	const char *subject;
	char note[512]; /* more about a failure: a file system's log, the end of a hook's output */
	int hook_status;
	char executable[PATH_LIMIT];
	char home[PATH_LIMIT]; /* the variable HOME, where the configuration has none */
};

/* Runs the whole Program; returns only on failure, having reported it. */
void interpret(struct interpreter *interpreter);

/* Arguments of the current operation. */
int64_t number(const struct interpreter *interpreter, unsigned argument);
const char *text(const struct interpreter *interpreter, unsigned argument);

#define STEP(interpreter, what, on)            \
	do {                                   \
		(interpreter)->step = (what);  \
		(interpreter)->subject = (on); \
	} while (0)

#define CHECK(expression)                           \
	do {                                        \
		int check_ = (int)(expression);     \
		if (check_ < 0)                     \
			return check_;              \
	} while (0)

/* One function per operation, by topic. */
int op_set_dumpable(struct interpreter *);
int op_join_cgroup(struct interpreter *);
int op_setns(struct interpreter *);
int op_unshare(struct interpreter *);
int op_fork(struct interpreter *);
int op_wait_for_runtime(struct interpreter *);
int op_write_time_offsets(struct interpreter *);
int op_become_root(struct interpreter *);
int op_open_proc(struct interpreter *);
int op_open_label(struct interpreter *);
int op_write_label(struct interpreter *);
int op_label_path(struct interpreter *);
int op_set_propagation(struct interpreter *);
int op_open_root(struct interpreter *);
int op_mount(struct interpreter *);
int op_bind(struct interpreter *);
int op_remount(struct interpreter *);
int op_unmount(struct interpreter *);
int op_make_directory(struct interpreter *);
int op_make_symlink(struct interpreter *);
int op_make_node(struct interpreter *);
int op_bind_node(struct interpreter *);
int op_open_console(struct interpreter *);
int op_mask_path(struct interpreter *);
int op_make_readonly(struct interpreter *);
int op_run_container_hook(struct interpreter *);
int op_pivot_root(struct interpreter *);
int op_move_root(struct interpreter *);
int op_change_root(struct interpreter *);
int op_set_root(struct interpreter *);
int op_raise_loopback(struct interpreter *);
int op_set_hostname(struct interpreter *);
int op_set_domainname(struct interpreter *);
int op_write_sysctl(struct interpreter *);
int op_new_session(struct interpreter *);
int op_join_keyring(struct interpreter *);
int op_set_personality(struct interpreter *);
int op_set_memory_policy(struct interpreter *);
int op_limit_bounding(struct interpreter *);
int op_own_stdio(struct interpreter *);
int op_set_user(struct interpreter *);
int op_change_directory(struct interpreter *);
int op_find_executable(struct interpreter *);
int op_find_home(struct interpreter *);
int op_lower_rlimit(struct interpreter *);
int op_set_no_new_privileges(struct interpreter *);
int op_close_descriptors(struct interpreter *);
int op_wait_for_start(struct interpreter *);
int op_raise_ambient(struct interpreter *);
int op_load_seccomp(struct interpreter *);
int op_set_capabilities(struct interpreter *);
int op_execute(struct interpreter *);

/* protocol.c */
int send_message(struct interpreter *, uint32_t type, int error, int value, int descriptor,
		 const char *detail);
int wait_for_go(struct interpreter *);
void report_failure(struct interpreter *, int error, int descriptor);
void report_times(struct interpreter *);

/* paths.c: everything below the root is reached through these. */
enum {
	PATH_CREATE_DIRECTORY = 1, /* make what is missing, the last component as a directory */
	PATH_CREATE_FILE = 2,      /* likewise, the last component as an empty file */
	PATH_NO_SYMLINKS = 4,      /* a symbolic link anywhere is ELOOP */
	PATH_LAST_LINK = 16,       /* a symbolic link as the last component is what is meant */
	PATH_PARENT = 8,           /* stop at the last component's directory; *last is its name */
};
int path_in_root(struct interpreter *, const char *path, int options, char *last);

/* copyup.c: the directory `to` gets the mode, or everything, that the directory `from` holds. */
int copy_directory(int from, int to, int keep_mode, int contents);

/* capabilities.c */
struct capability_sets {
	uint64_t effective, permitted, inheritable;
};
int capabilities_get(struct capability_sets *);
int capabilities_set(const struct capability_sets *);

/* strings.c: the few string functions a freestanding program needs. */
size_t text_length(const char *text);
int text_equal(const char *a, const char *b);
/* Appends to a bounded, always terminated buffer; what does not fit is cut. */
void text_append(char *buffer, size_t size, const char *text);
void text_append_number(char *buffer, size_t size, int64_t value);
int write_all(int fd, const void *data, size_t length);
/* Memory that is never given back. NULL if there is none. */
void *memory_map(size_t size);

#endif
