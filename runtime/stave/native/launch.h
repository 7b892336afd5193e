/* The runtime's own half of the C: what Python cannot call, or must not do between clone and execve.
 * Functions return 0, a descriptor, a pid or a length, or a negative errno; they print nothing.
 * Declarations for cffi, the compiler and build_calls.py at once: no preprocessor below the marker, and only
 * functions that return int.
 */
#ifndef STAVE_LAUNCH_H
#define STAVE_LAUNCH_H

#include <stdint.h>

#include "messages.h"

/* cffi reads from here */

/* A descriptor of stave-init to execute: a sealed memfd, or where those may not be executed an unlinked
 * private copy in `directory`. Read-only either way. */
int stave_init_image(const char *directory);

/* Both ends of a SOCK_SEQPACKET pair, close-on-exec. */
int stave_socket_pair(int *ends);

/* A listening SOCK_SEQPACKET socket named `name` in `directory`, mode 0600. */
int stave_listen(int directory, const char *name);

/* Starts stave-init in a new process with clone(2) flags `flags` and returns its pid; when this returns
 * it has already been executed. The process has the three `streams` as 0, 1 and 2, and keeps `preserve`
 * descriptors from 3 on and `kept`, none of which is below 3; `arguments` ends in NULL. */
int stave_launch(int image, char *const *arguments, const int *streams, uint64_t flags, int preserve,
		 const int *kept, int kept_count);

int stave_send_go(int socket);
int stave_send_source(int socket, int mount);
/* open_tree(2) with OPEN_TREE_CLONE of `path` in another mount namespace. link: do not follow a last one. */
int stave_open_tree(int mount_namespace, const char *path, int recursive, int link);
/* A user namespace with these maps (user_namespaces(7)), kept alive by the descriptor alone. */
int stave_user_namespace(const char *uid_map, const char *gid_map);
/* What is mounted in the tree from now on does not show where it was cloned from. */
int stave_make_slave(int mount);
/* The detached mount shows its files' owners through the user namespace. */
int stave_map_ids(int mount, int user_namespace, int recursive);
/* The length of the message, 0 at the end. *descriptor is -1 or one that came along. */
int stave_receive(int socket, struct message *message, int *descriptor);

/* Sends a descriptor with `name` as the message's text to the stream socket at `path`: the console-socket
 * protocol of runc. */
int stave_send_descriptor(const char *path, int descriptor, const char *name);

int stave_set_rlimit(int pid, int resource, uint64_t soft, uint64_t hard);
/* sched_setattr(2), ioprio_set(2), sched_setaffinity(2) of another process; times in nanoseconds. */
int stave_set_scheduler(int pid, unsigned policy, uint64_t flags, int nice, unsigned priority, uint64_t runtime,
			uint64_t deadline, uint64_t period);
int stave_set_io_priority(int pid, int priority);
int stave_set_affinity(int pid, const unsigned char *mask, int size);
int stave_bpf(int command, void *attributes, int size);
/* The buffer's address stands in the attributes at this offset. */
int stave_put_address(void *attributes, int offset, const void *buffer);
int stave_set_subreaper(int value);
/* umount2(2) with MNT_DETACH, which does not propagate to what was mounted from elsewhere; a symbolic link anywhere in the path is ELOOP. */
int stave_unmount(const char *path);
/* The CLONE_NEW* type of a namespace descriptor. */
int stave_namespace_type(int descriptor);

/* An O_PATH descriptor of `path` as a process with the root directory `root` would find it. */
int stave_open_in_root(int root, const char *path);
/* This process has a mount namespace of its own, in which the directory `path` is a mount point. */
int stave_isolate_root(const char *path);

/* Runs `path` in `directory` with stdin, and stdout and stderr on `output`; everything else is closed.
 * Returns the pid. */
int stave_spawn(const char *path, char *const *arguments, char *const *environment, int input,
		int output, const char *directory);

/* Waits for `pid`, passing on to it the signals that this process gets and, if master is not -1, copying
 * between the terminal on stdin/stdout and `master`. Word of READY (sd_notify(3)) on the datagram socket
 * ready_from, if it is not -1, goes on to ready_to. Returns its wait status. */
int stave_supervise(int pid, int master, int ready_from, int ready_to);

int stave_abi(void);

#endif
