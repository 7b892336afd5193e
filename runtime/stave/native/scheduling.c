/* Scheduling of another process: what a container may lack the rights for. */
#define _GNU_SOURCE
#include "launch.h"

#include <errno.h>
#include <linux/ioprio.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

int stave_set_scheduler(int pid, unsigned policy, uint64_t flags, int nice, unsigned priority, uint64_t runtime,
			uint64_t deadline, uint64_t period)
{
	struct sched_attr attributes = {.size = sizeof attributes,
					.sched_policy = policy,
					.sched_flags = flags,
					.sched_nice = nice,
					.sched_priority = priority,
					.sched_runtime = runtime,
					.sched_deadline = deadline,
					.sched_period = period};

	return syscall(SYS_sched_setattr, pid, &attributes, 0) ? -errno : 0;
}

int stave_set_io_priority(int pid, int priority)
{
	return syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid, priority) ? -errno : 0;
}

int stave_set_affinity(int pid, const unsigned char *mask, int size)
{
	return syscall(SYS_sched_setaffinity, pid, size, mask) ? -errno : 0;
}
