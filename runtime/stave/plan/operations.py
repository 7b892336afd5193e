"""The operations a Program is made of: their names, arguments and order of codes.

This table is the only place that knows them. The encoder and ``stave explain`` read it, and the
build writes the C header ``operations.gen.h`` from it, so the two sides cannot drift apart.

An entry is ``name: (argument names, argument kinds)``; the kinds are one letter each:

====== ==================================================================================
``i``  a signed 64-bit number
``t``  text without NUL; ``None`` where absence means something
``b``  bytes
``l``  a list of texts
``p``  a list of D-Bus properties: (name, (signature, value)); the runtime's own operations only
``f``  the name of a descriptor opened by an ``open_*`` operation; its number once encoded
====== ==================================================================================
"""

from __future__ import annotations

# Executed by stave-init, in order, between `clone` and the user's program. All paths below the
# root file system ("in root") are resolved by descriptor and never leave it.
CONTAINER: dict[str, tuple[str, str]] = {
    # 0 hides /proc/self from the namespaces' other members; 1 lets an unprivileged parent write id maps.
    "set_dumpable": ("value", "i"),
    # file: "tasks" of a v1 group, "cgroup.procs" of a v2 one; the process moves itself.
    "join_cgroup": ("file", "t"),
    # type: CLONE_NEW* bits that the descriptor (a namespace file, or a pidfd for several at once) must match.
    "setns": ("namespace type", "fi"),
    "unshare": ("flags", "i"),
    # The rest of the Program runs in a new process, a sibling of this one (CLONE_PARENT); waits for the runtime.
    "fork": ("", ""),
    # The runtime executes the operations of its own that follow, then lets the container go on.
    "wait_for_runtime": ("", ""),
    "write_time_offsets": ("offsets", "t"),
    # keep_groups: the supplementary groups are left alone.
    "become_root": ("keep_groups", "i"),
    # The host's procfs stays at hand when the namespaces are joined; `open_root` sees to it, too.
    "open_proc": ("", ""),
    # The first of the files of /proc/self/attr that exists stays open for `write_label` with the same slot.
    "open_label": ("slot files", "il"),
    "write_label": ("slot label", "it"),
    # mount(2) flags (MS_SLAVE|MS_REC ...) for the mount namespace's own root.
    "set_propagation": ("flags", "i"),
    # bind=1: clone the tree onto itself, so that it can become a root of its own; 0: use it as it is (no mount ns).
    # isolate=1: the mount that holds it may be shared, and is made private: no root can be pivoted to there.
    "open_root": ("path bind isolate", "tii"),
    # A new file system on a target in root. parameters: "key=value" or "key", for fsconfig(2).
    # attributes: MOUNT_ATTR_* bits; propagation: MS_* bits, with MS_REC for all below too, or 0;
    # options: MOUNT_* bits below.
    "mount": ("type source target attributes propagation parameters options", "tttiili"),
    # A clone of `source` (in the caller's file system; with MOUNT_OPENED the next one that the runtime has sent)
    # on a target in root. The four sets are MOUNT_ATTR_* bits
    # to set and clear on the mount itself, and on it and all below it (recursive_*).
    "bind": (
        "source target set clear recursive_set recursive_clear propagation options",
        "ttiiiiii",
    ),
    # Change an existing mount in root: attributes, propagation, and file system parameters (may be empty).
    "remount": ("target set clear propagation parameters options", "tiiili"),
    # What is mounted at a path in root goes, also while it is in use (MNT_DETACH).
    "unmount": ("path", "t"),
    "make_directory": ("path mode", "ti"),
    "make_symlink": ("contents link", "tt"),
    # mode: type and permission bits, applied whatever the umask is.
    "make_node": ("path mode major minor uid gid", "tiiiii"),
    "bind_node": ("source path", "tt"),
    # A pseudo terminal of the container's own devpts: the master goes to the runtime, the slave becomes
    # stdin, stdout, stderr and the controlling terminal. rows=columns=0: leave the size alone.
    # mount=1: it also appears at /dev/console.
    "open_console": ("rows columns mount", "iii"),
    # label: the SELinux label of what hides a directory.
    "mask_path": ("path label", "tt"),
    # The SELinux label of a file in root, as an extended attribute.
    "label_path": ("path label", "tt"),
    "make_readonly": ("path", "t"),
    # timeout in seconds, 0: none. The hook's stdin is before + decimal host pid + after.
    "run_container_hook": ("path arguments environment timeout before after", "tllibb"),
    "pivot_root": ("", ""),
    # For roots that cannot be pivoted (initramfs): MS_MOVE over / and chroot.
    "move_root": ("", ""),
    # Without a mount namespace of its own: chroot only.
    "change_root": ("", ""),
    # The container's new "/": propagation (MS_* bits or 0), then attributes to set.
    "set_root": ("attributes propagation", "ii"),
    # A new network namespace has nothing but a loopback device, and that is down.
    "raise_loopback": ("", ""),
    "set_hostname": ("name", "t"),
    "set_domainname": ("name", "t"),
    # key: path below /proc/sys, e.g. "net/ipv4/ip_forward".
    "write_sysctl": ("key value", "tt"),
    "new_session": ("", ""),
    "join_keyring": ("name", "t"),
    "set_personality": ("persona", "i"),
    # mode: MPOL_* with MPOL_F_* bits; nodes: bit mask of whole 64-bit words.
    "set_memory_policy": ("mode nodes", "ib"),
    # keep: bit mask of capabilities that stay in the bounding set.
    "limit_bounding": ("keep", "i"),
    "own_stdio": ("uid", "i"),
    # groups: packed 32-bit little-endian ids, None: leave the groups alone. Capabilities survive the change
    # in the permitted set; effective: bits in force after it. umask -1: leave alone.
    "set_user": ("uid gid groups umask effective", "iibii"),
    "change_directory": ("path create", "ti"),
    # Looks `name` up in `search` (a PATH) with the rights in force; `execute` uses what was found.
    "find_executable": ("name search", "tt"),
    # HOME for `execute`, which is not told one: from the container's /etc/passwd, else "/".
    "find_home": ("", ""),
    # Of the process itself, by prlimit(2).
    "lower_rlimit": ("resource soft hard", "iii"),
    "set_no_new_privileges": ("", ""),
    # Everything from 3 + preserve on is closed at `execute`.
    "close_descriptors": ("preserve", "i"),
    # Tells the runtime that the container is created, then blocks until `stave start`.
    "wait_for_start": ("listener", "f"),
    # Inheritable and ambient sets, while the permitted set is still complete.
    "raise_ambient": ("inheritable ambient", "ii"),
    # program: struct sock_filter[]; flags: SECCOMP_FILTER_FLAG_*.
    "load_seccomp": ("program flags", "bi"),
    "set_capabilities": ("effective permitted inheritable", "iii"),
    "execute": ("arguments environment", "ll"),
}

# Executed by the runtime itself, on the host, where they stand in the Program.
RUNTIME: dict[str, tuple[str, str]] = {
    "make_cgroup": ("path", "t"),
    # controllers: space separated, "+cpu ?io": "+" must be had, "?" is welcome; each alone if all at once fail.
    "enable_controllers": ("path controllers", "tt"),
    # cgroup v2: the group, and the files of it that the kernel has for that, belong to this user of the host.
    "delegate_cgroup": ("path uid", "ti"),
    # cgroup v1: copy cpus and mems down from the nearest ancestor that has them.
    "inherit_cpuset": ("path", "t"),
    "write_cgroup": ("file value", "tt"),
    # The first of the files that exists gets the value of the same place; a file "" at the end means "or none".
    "write_cgroup_first": ("files values", "ll"),
    # program: struct bpf_insn[] for BPF_PROG_TYPE_CGROUP_DEVICE.
    "attach_device_filter": ("path program", "tb"),
    # A transient unit with the new process in it; user: by the systemd of this user.
    "start_scope": ("unit user properties", "tip"),
    # Opens a namespace file and proves its type; `name` is what `f` arguments refer to.
    "open_namespace": ("name path type", "tti"),
    "clone": ("flags", "i"),
    # A user namespace that nobody lives in, for `open_source`; uid_map, gid_map: text of the kernel's files.
    "make_user_namespace": ("name uid_map gid_map", "ttt"),
    # What a later `bind` with MOUNT_OPENED attaches, cloned in the process's mount namespace with the rights of
    # the runtime; target: only to name it. options: SOURCE_* bits; ids: name of the user namespace that maps the
    # files' owners, or None.
    "open_source": ("source target options ids", "ttit"),
    # What a later `mount` with MOUNT_MAPPED maps its owners with; target: only to name it.
    "send_user_namespace": ("name target", "tt"),
    "set_oom_score_adj": ("value", "i"),
    # file: uid_map, gid_map or setgroups of the container's first process.
    "write_id_map": ("file text", "tt"),
    # newuidmap or newgidmap, for the container's first process; numbers: inside, outside, size of each line.
    "run_id_mapper": ("program numbers", "tl"),
    "run_runtime_hook": ("kind path arguments environment timeout", "ttlli"),
    "set_rlimit": ("resource soft hard", "iii"),
    # name: in the network namespace of the container's process; "%d" in it is for the kernel to fill in.
    "move_network_device": ("device name", "tt"),
    # A group of the resctrl file system; how: "make", "make or match" (its schemata) or "find".
    "enter_resctrl": ("group how schemata", "ttl"),
    # cpus: the list that the mask was made of.
    "set_affinity": ("cpus mask", "tb"),
    # priority: class and level as ioprio_set(2) takes them.
    "set_io_priority": ("priority", "i"),
    # policy: SCHED_*; flags: SCHED_FLAG_*; the last three in nanoseconds.
    "set_scheduler": ("policy flags nice priority runtime deadline period", "iiiiiii"),
}

# Where the container's side stops until the runtime lets it go on.
WAITS = frozenset(("fork", "wait_for_runtime", "wait_for_start", "execute"))

# `slot` of open_label and write_label.
LABEL_APPARMOR, LABEL_SELINUX, LABEL_KEYRING = range(3)

CODES: dict[str, int] = {name: code for code, name in enumerate(CONTAINER)}

# `options` of mount, bind and remount.
MOUNT_RECURSIVE = 1  # bind the whole tree (AT_RECURSIVE)
MOUNT_REAL_TARGET = 2  # the target must be a directory of its own, no symlink in its path
MOUNT_ON_PROC = 4  # the target may lie on a procfs
MOUNT_COPY_UP = 8  # what the target holds is copied into the new file system first
MOUNT_KEEP_MODE = 16  # the new root has the mode of the target, if that was there
MOUNT_OPENED = 32  # bind: the runtime has sent the source
MOUNT_COPY_LINK = 64  # bind: a source that is a symbolic link is made anew, not mounted
MOUNT_LINK_SOURCE = 128  # bind: a source that is a symbolic link is mounted itself
MOUNT_LINK_TARGET = 256  # bind: a target that is a symbolic link is mounted on itself
MOUNT_MAPPED = 512  # mount: the runtime has sent a user namespace, whose mappings the owners get

# `options` of open_source.
SOURCE_RECURSIVE = 1  # the whole tree
SOURCE_LINK = 2  # not what a symbolic link points to
SOURCE_MAP_ALL = 4  # the ids of the whole tree are mapped
SOURCE_SLAVE = 8  # what is mounted in it later must not reach where it comes from
