/* Capability sets, and the change of user between them. */
#include "interpreter.h"

#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/filter.h>

#define ALL_CAPABILITIES 64

int capabilities_get(struct capability_sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	CHECK(SYS2(__NR_capget, &header, data));
	sets->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	sets->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	sets->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
	return 0;
}

int capabilities_set(const struct capability_sets *sets)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
	    {(uint32_t)sets->effective, (uint32_t)sets->permitted, (uint32_t)sets->inheritable},
	    {(uint32_t)(sets->effective >> 32), (uint32_t)(sets->permitted >> 32),
	     (uint32_t)(sets->inheritable >> 32)},
	};

	return (int)SYS2(__NR_capset, &header, data);
}

int op_limit_bounding(struct interpreter *interpreter)
{
	uint64_t keep = (uint64_t)number(interpreter, 0);

	STEP(interpreter, "drop from the bounding set", NULL);
	for (int capability = 0; capability < ALL_CAPABILITIES; capability++) {
		long held = SYS2(__NR_prctl, PR_CAPBSET_READ, capability);

		if (held < 0)
			break; /* past the last capability of this kernel */
		if (held && !(keep >> capability & 1))
			CHECK(SYS2(__NR_prctl, PR_CAPBSET_DROP, capability));
	}
	return 0;
}

/* The change of ids keeps the permitted set (KEEPCAPS): seccomp filters and the ambient set still need it. */
int op_set_user(struct interpreter *interpreter)
{
	int64_t uid = number(interpreter, 0), gid = number(interpreter, 1);
	uint32_t bytes;
	const void *groups =
	    program_bytes(&interpreter->program, interpreter->operation, 2, &bytes);
	struct capability_sets sets;

	STEP(interpreter, "keep capabilities", NULL);
	CHECK(SYS5(__NR_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0));
	if (groups) {
		STEP(interpreter, "setgroups", NULL);
		CHECK(SYS2(__NR_setgroups, bytes / 4, groups));
	}
	STEP(interpreter, "setresgid", NULL);
	CHECK(SYS3(__NR_setresgid, gid, gid, gid));
	STEP(interpreter, "setresuid", NULL);
	CHECK(SYS3(__NR_setresuid, uid, uid, uid));
	CHECK(SYS5(__NR_prctl, PR_SET_KEEPCAPS, 0, 0, 0, 0));
	if (number(interpreter, 3) >= 0)
		SYS1(__NR_umask, number(interpreter, 3));
	STEP(interpreter, "capset", NULL);
	CHECK(capabilities_get(&sets));
	sets.effective = (uint64_t)number(interpreter, 4) & sets.permitted;
	return capabilities_set(&sets);
}

int op_become_root(struct interpreter *interpreter)
{
	long error;

	STEP(interpreter, "setgroups", NULL);
	error = number(interpreter, 0) ? 0 : SYS2(__NR_setgroups, 0, NULL);
	/* Refused where the user namespace was made without privilege: user_namespaces(7). */
	if (error != -EPERM)
		CHECK(error);
	STEP(interpreter, "setresgid to 0 of the user namespace", NULL);
	CHECK(SYS3(__NR_setresgid, 0, 0, 0));
	STEP(interpreter, "setresuid to 0 of the user namespace", NULL);
	return (int)SYS3(__NR_setresuid, 0, 0, 0);
}

int op_raise_ambient(struct interpreter *interpreter)
{
	uint64_t ambient = (uint64_t)number(interpreter, 1);
	struct capability_sets sets;

	STEP(interpreter, "capset inheritable", NULL);
	CHECK(capabilities_get(&sets));
	sets.inheritable = (uint64_t)number(interpreter, 0);
	CHECK(capabilities_set(&sets));
	STEP(interpreter, "clear the ambient set", NULL);
	CHECK(SYS5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	STEP(interpreter, "raise ambient", NULL);
	for (int capability = 0; capability < ALL_CAPABILITIES; capability++)
		if (ambient >> capability & 1)
			CHECK(SYS5(__NR_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0));
	return 0;
}

int op_set_capabilities(struct interpreter *interpreter)
{
	struct capability_sets sets = {
	    .effective = (uint64_t)number(interpreter, 0),
	    .permitted = (uint64_t)number(interpreter, 1),
	    .inheritable = (uint64_t)number(interpreter, 2),
	};

	STEP(interpreter, "capset", NULL);
	return capabilities_set(&sets);
}

int op_set_no_new_privileges(struct interpreter *interpreter)
{
	STEP(interpreter, "prctl PR_SET_NO_NEW_PRIVS", NULL);
	return (int)SYS5(__NR_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Without no_new_privs a filter needs CAP_SYS_ADMIN in force. Afterwards only what `set_capabilities`
 * and `execute` call has to pass the filter. */
/* The filter is in force by now, so what follows may have to be answered for as well. That works from the moment
 * on that somebody has the descriptor; until then nothing but sendmsg(2) is called, which the planner keeps out
 * of such filters. */
static int hand_over_listener(struct interpreter *interpreter, int listener)
{
	STEP(interpreter, "send the seccomp listener to the runtime", NULL);
	CHECK(send_message(interpreter, MESSAGE_SECCOMP, 0, 0, listener, ""));
	CHECK(wait_for_go(interpreter));
	return close_descriptor(listener);
}

int op_load_seccomp(struct interpreter *interpreter)
{
	uint32_t bytes;
	const void *filter =
	    program_bytes(&interpreter->program, interpreter->operation, 0, &bytes);
	struct sock_fprog program = {
	    .len = (unsigned short)(bytes / sizeof(struct sock_filter)),
	    .filter = (struct sock_filter *)(uintptr_t)filter,
	};
	struct capability_sets sets;
	int result;

	if (bytes / sizeof(struct sock_filter) > BPF_MAXINSNS)
		return -E2BIG;
	CHECK(capabilities_get(&sets));
	sets.effective = sets.permitted;
	CHECK(capabilities_set(&sets));
	STEP(interpreter, "seccomp", NULL);
	result = (int)SYS3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, number(interpreter, 1), &program);
	if (result < 0 || !(number(interpreter, 1) & SECCOMP_FILTER_FLAG_NEW_LISTENER))
		return result;
	return hand_over_listener(interpreter, result);
}
