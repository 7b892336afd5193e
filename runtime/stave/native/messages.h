/* What stave-init and the runtime say to each other over a SOCK_SEQPACKET socketpair, and from
 * `start` on over the connection that `stave start` makes.
 *
 *   runtime                         stave-init
 *      | clone -------------------------> |
 *      | joins cgroups                    |
 *      | GO(host pid) ------------------> | operations ...
 *      | <------------- FORKED(pid)       |   (`fork`; the new process goes on with the next GO)
 *      | writes id maps                   |
 *      | SOURCE(mount) ... -------------> |   (sources of binds, where a user namespace hides them)
 *      | GO ----------------------------> | mounts ...
 *      | <------------- CONSOLE(master)   |   (with a terminal)
 *      | <------------- WAITING           |   (`wait_for_runtime`: hooks)
 *      | GO ----------------------------> | pivot_root ...
 *      | <------------- WAITING           |   (`wait_for_start`: the container is created)
 *      |                                  |
 *   start: connects, GO ----------------> | startContainer hooks, seccomp, execve
 *      | <------------- SECCOMP(listener) |   (a filter that asks somebody; GO once he has it)
 *      | GO ----------------------------> |
 *      | <------------- end of file       |   (close-on-exec: the program runs)
 *
 * At any point: FAILED(operation, errno, step and path), then end of file. The end of file alone
 * means that the process died. When the runtime dies first, stave-init leaves.
 */
#ifndef STAVE_MESSAGES_H
#define STAVE_MESSAGES_H

#include <stdint.h>

#define MESSAGE_DETAIL 2048

enum message_type {
	MESSAGE_GO = 1,
	MESSAGE_WAITING = 2, /* operation: where it waits */
	MESSAGE_FORKED = 3,  /* value: the new process's pid */
	MESSAGE_CONSOLE = 4, /* a descriptor: the master; detail: the slave's name */
	MESSAGE_FAILED = 5,  /* operation, error (errno, or 0 and value: a hook's wait status), detail;
			      * with a descriptor where `execute` failed: the program, for a diagnosis */
	MESSAGE_TRACE = 6,   /* operation: first one, value: how many; detail: CLOCK_MONOTONIC ns of their ends */
	MESSAGE_SOURCE = 7,  /* a descriptor: a detached mount for the next `bind` that takes one; before a GO */
	MESSAGE_SECCOMP = 8, /* a descriptor: where the filter's questions are to be answered */
};

struct message {
	uint32_t type;
	uint32_t operation;
	int32_t error;
	int32_t value;
	char detail[MESSAGE_DETAIL];
};

#define MESSAGE_HEAD (sizeof(struct message) - MESSAGE_DETAIL)

#endif
