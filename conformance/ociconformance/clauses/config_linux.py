"""config-linux.md: namespaces, devices, control groups, seccomp and the rest of what only Linux has."""

from __future__ import annotations

from ociconformance.clauses.model import (
    AUTHOR,
    OUTSIDE,
    Clause,
    Document,
    may,
    means,
    must,
    must_not,
    required,
    section,
    should,
    should_not,
)

NAMESPACES = ("pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time")
_NEWER_NAMESPACES = {"time": "1.1"}

DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
"""The default devices that are character devices of their own."""

_RDT = "Needs a processor with resource director technology, and a kernel that offers it as resctrl."
_RDMA = "Needs an RDMA device."


def _rdt(id: str, text: str, *, level: str = "MUST", since: str = "1.0", untested: str = _RDT) -> Clause:
    return Clause(f"linux/intel-rdt/{id}", level, text, since, untested)


CONFIG_LINUX = Document(
    "config-linux.md",
    (
        section(
            "default-filesystems",
            "Default file systems",
            *(
                should(f"linux/filesystems/{path[1:].replace('/', '-')}", f"{path} is a {kind}.")
                for path, kind in {
                    "/proc": "proc",
                    "/sys": "sysfs",
                    "/dev/pts": "devpts",
                    "/dev/shm": "tmpfs",
                }.items()
            ),
        ),
        section(
            "namespaces",
            "Namespaces",
            required("linux/namespaces/type/present", "A namespace has a type, or is refused."),
            *(
                should(
                    f"linux/namespaces/{name}",
                    f"The type {name} is supported.",
                    since=_NEWER_NAMESPACES.get(name, "1.0"),
                )
                for name in NAMESPACES
            ),
            must("linux/namespaces/path/absolute", "path is absolute, or is refused."),
            must(
                "linux/namespaces/path/joined",
                "With a path the container is in the namespace that the file stands for.",
            ),
            must("linux/namespaces/path/wrong-type", "A path of another type of namespace is an error."),
            must("linux/namespaces/new", "Without a path the container is in a new namespace."),
            must(
                "linux/namespaces/inherited",
                "A type that is not listed: the container is in the runtime's namespace.",
            ),
            must("linux/namespaces/duplicate", "A type listed twice is an error."),
        ),
        section(
            "user-namespace-mappings",
            "User namespace mappings",
            means("linux/uid-mappings", "uidMappings are the user namespace's."),
            means("linux/gid-mappings", "gidMappings are the user namespace's."),
            required("linux/mappings/container-id", "An entry has a containerID, or is refused."),
            required("linux/mappings/host-id", "An entry has a hostID, or is refused."),
            required("linux/mappings/size", "An entry has a size, or is refused."),
            should_not("linux/mappings/ownership", "The owners of files are not changed for the mapping."),
            may("linux/mappings/kernel-limit", "The kernel limits the number of entries.", untested=OUTSIDE),
        ),
        section(
            "offset-for-time-namespace",
            "Offset for time namespace",
            means("linux/time-offsets/secs", "The container's clock is off by secs.", since="1.1"),
            means("linux/time-offsets/nanosecs", "The container's clock is off by nanosecs.", since="1.1"),
        ),
        section(
            "devices",
            "Devices",
            must("linux/devices/available", "Listed devices are there."),
            may("linux/devices/how", "They are made in any way."),
            required("linux/devices/type/present", "A device has a type, or is refused."),
            required("linux/devices/path/present", "A device has a path, or is refused."),
            must("linux/devices/exists", "A file at the path that isn't the device is an error."),
            may("linux/devices/anywhere", "The path is anywhere, not just below /dev.", untested=""),
            required(
                "linux/devices/numbers", "A device has major and minor, or is refused, unless it is a FIFO."
            ),
            means("linux/devices/file-mode", "The device has fileMode."),
            means("linux/devices/uid", "The device belongs to uid, as counted in the container."),
            means("linux/devices/gid", "The device belongs to gid, as counted in the container."),
            should_not(
                "linux/devices/duplicate",
                "Two devices don't have the same type and numbers.",
                untested=AUTHOR,
            ),
            may(
                "linux/devices/others",
                "Devices that are neither listed nor default can't be accessed.",
                since="1.1",
                untested="MAY NOT leaves it open; the rules of the device control group decide (linux/resources/devices).",
            ),
        ),
        section(
            "default-devices",
            "Default devices",
            *(
                must(f"linux/default-devices/{name}", f"/dev/{name} is there, and is that device.")
                for name in DEVICES
            ),
            must("linux/default-devices/console", "With terminal /dev/console is the terminal."),
            must("linux/default-devices/ptmx", "/dev/ptmx is the container's own /dev/pts/ptmx."),
        ),
        section(
            "network-devices",
            "Network devices",
            must("linux/net-devices/moved", "Listed network devices are in the container.", since="1.3"),
            means("linux/net-devices/name", "They have the configured name, or else their own.", since="1.3"),
            must("linux/net-devices/check", "A device that cannot be moved is an error.", since="1.3"),
            must(
                "linux/net-devices/name-taken",
                "A name that is taken in the container is an error.",
                since="1.3",
            ),
            must("linux/net-devices/template", "A name with %d gets a free number.", since="1.3"),
            must("linux/net-devices/attributes", "The device keeps its attributes.", since="1.3"),
            must(
                "linux/net-devices/addresses", "The device keeps its permanent global addresses.", since="1.3"
            ),
            must("linux/net-devices/up", "The device is up.", since="1.3"),
            must_not("linux/net-devices/managed", "The device is left alone once it is inside.", since="1.3"),
            must_not(
                "linux/net-devices/not-moved-back",
                "The device is not moved out again before the container is deleted.",
                since="1.3",
            ),
        ),
        section(
            "control-groups",
            "Control groups",
            may(
                "linux/cgroups/fit", "A runtime checks whether a cgroup is fit for its purpose.", since="1.1"
            ),
            must(
                "linux/cgroups/unfit",
                "If it checks and the cgroup is not, that is an error.",
                since="1.1",
                untested="Whether a runtime checks is left to it; one that does not is right as well.",
            ),
        ),
        section(
            "cgroups-path",
            "Cgroups path",
            must(
                "linux/cgroups-path/kind",
                "cgroupsPath is absolute or relative.",
                untested="Every string is one of these.",
            ),
            must(
                "linux/cgroups-path/absolute", "An absolute path counts from where the hierarchy is mounted."
            ),
            may(
                "linux/cgroups-path/relative",
                "A relative path counts from a place of the runtime's own.",
                untested="",
            ),
            must("linux/cgroups-path/consistent", "The same path always leads to the same cgroup."),
            may("linux/cgroups-path/default", "Without a path the runtime chooses one."),
            may("linux/cgroups-path/invalid", "A runtime takes certain paths for invalid."),
            must(
                "linux/cgroups-path/invalid-error",
                "An invalid path is an error.",
                untested="Which are, is the runtime's choice.",
            ),
            means("linux/cgroups-path/created", "A cgroup that isn't there is created."),
            may("linux/cgroups-path/more-controllers", "The process is attached to further controllers."),
        ),
        section(
            "cgroup-ownership",
            "Cgroup ownership",
            may("linux/cgroup-ownership/may", "The cgroup's owner becomes the program's user.", since="1.1"),
            should_not("linux/cgroup-ownership/v1", "The owner is not changed on cgroup v1.", since="1.1"),
            should_not(
                "linux/cgroup-ownership/namespace",
                "The owner is not changed without a new cgroup namespace.",
                since="1.1",
            ),
            should(
                "linux/cgroup-ownership/writable",
                "The owner is changed if the container mounts its cgroups writable.",
                since="1.1",
            ),
            should_not(
                "linux/cgroup-ownership/read-only",
                "The owner is not changed if it does not mount them writable.",
                since="1.1",
            ),
            should(
                "linux/cgroup-ownership/delegate",
                "Only the directory and the files of the kernel's list of delegated files change owner.",
                since="1.1",
            ),
            must_not(
                "linux/cgroup-ownership/missing-files",
                "Files of the list that are missing are no error.",
                since="1.1",
            ),
            must(
                "linux/cgroup-ownership/no-list",
                "Without the kernel's list it is cgroup.procs, cgroup.subtree_control and cgroup.threads.",
                since="1.1",
            ),
            should_not("linux/cgroup-ownership/others", "No other file changes owner.", since="1.1"),
        ),
        section(
            "allowed-device-list",
            "Allowed device list",
            means("linux/resources/devices", "The rules say which devices the container can use."),
            must(
                "linux/resources/devices/order",
                "The rules are applied in the order in which they are listed.",
            ),
            required("linux/resources/devices/allow", "A rule has allow, or is refused."),
            means("linux/resources/devices/type", "Without a type a rule is for all devices."),
            means("linux/resources/devices/numbers", "Without major or minor a rule is for all numbers."),
            means(
                "linux/resources/devices/access", "access limits a rule to reading, writing or making nodes."
            ),
        ),
        section(
            "memory",
            "Memory",
            means("linux/resources/memory/limit", "limit limits the memory."),
            means("linux/resources/memory/unlimited", "-1 is no limit."),
            means("linux/resources/memory/reservation", "reservation is the soft limit."),
            means("linux/resources/memory/swap", "swap limits memory and swap together."),
            means(
                "linux/resources/memory/kernel",
                "kernel limits the kernel's memory.",
                untested="Not recommended, and kernels ignore it since Linux 5.16.",
            ),
            means("linux/resources/memory/kernel-tcp", "kernelTCP limits the memory of TCP buffers."),
            means("linux/resources/memory/swappiness", "swappiness is the cgroup's."),
            means(
                "linux/resources/memory/disable-oom-killer", "disableOOMKiller switches the OOM killer off."
            ),
            means("linux/resources/memory/oom-killer", "Without it a container over its limit is killed."),
            means(
                "linux/resources/memory/use-hierarchy", "useHierarchy counts the children's memory as well."
            ),
            may(
                "linux/resources/memory/check-before-update",
                "checkBeforeUpdate compares a new limit with the memory in use.",
                since="1.1",
            ),
            must(
                "linux/resources/memory/check-before-update-error",
                "It refuses a limit below that.",
                since="1.1",
                untested="A new container uses no memory yet, and updating is no operation of the specification.",
            ),
        ),
        section(
            "cpu",
            "CPU",
            means("linux/resources/cpu/shares", "shares is the cgroup's share of CPU time."),
            means("linux/resources/cpu/quota", "quota limits the CPU time in a period."),
            must(
                "linux/resources/cpu/quota-burst",
                "quota is not smaller than burst.",
                since="1.1",
            ),
            means("linux/resources/cpu/burst", "burst is the CPU time that can be saved up.", since="1.1"),
            must(
                "linux/resources/cpu/burst-quota",
                "burst is not larger than quota.",
                since="1.1",
            ),
            means("linux/resources/cpu/period", "period is the length of a period."),
            means("linux/resources/cpu/realtime", "realtimeRuntime and realtimePeriod are the cgroup's."),
            means("linux/resources/cpu/cpus", "cpus are those the container runs on."),
            means("linux/resources/cpu/mems", "mems are the memory nodes it uses."),
            means("linux/resources/cpu/idle", "idle makes it run only when nothing else does.", since="1.1"),
        ),
        section(
            "block-io",
            "Block IO",
            means("linux/resources/block-io/weight", "weight is the cgroup's."),
            means(
                "linux/resources/block-io/leaf-weight",
                "leafWeight is the weight against child cgroups.",
                untested="Left the kernel with the CFQ scheduler, in Linux 5.0.",
            ),
            means("linux/resources/block-io/weight-device", "weightDevice is the weight for a device."),
            required(
                "linux/resources/block-io/device-numbers",
                "An entry for a device has major and minor, or is refused.",
            ),
            must(
                "linux/resources/block-io/weight-or-leaf",
                "An entry of weightDevice has weight or leafWeight.",
            ),
            means(
                "linux/resources/block-io/throttle-bps", "The two throttle…BpsDevice limit bytes per second."
            ),
            means(
                "linux/resources/block-io/throttle-iops",
                "The two throttle…IOPSDevice limit operations per second.",
            ),
            required("linux/resources/block-io/rate", "A limit has a rate, or is refused."),
        ),
        section(
            "huge-page-limits",
            "Huge page limits",
            means("linux/resources/hugepages/limit", "limit limits the huge pages of a size."),
            means(
                "linux/resources/hugepages/reservation",
                "It limits reservations where the kernel can.",
                since="1.1",
            ),
            required("linux/resources/hugepages/page-size", "An entry has a pageSize, or is refused."),
            means(
                "linux/resources/hugepages/unknown-size",
                "A pageSize that the kernel doesn't have is an error.",
            ),
            required("linux/resources/hugepages/limit-present", "An entry has a limit, or is refused."),
        ),
        section(
            "network",
            "Network",
            means("linux/resources/network/class-id", "classID tags the cgroup's packets."),
            means("linux/resources/network/priorities", "priorities are those of the cgroup's traffic."),
            required(
                "linux/resources/network/name", "A priority has the name of an interface, or is refused."
            ),
            required("linux/resources/network/priority", "A priority has a priority, or is refused."),
        ),
        section(
            "pids",
            "PIDs",
            means("linux/resources/pids/limit", "limit limits the number of tasks."),
            means("linux/resources/pids/unlimited", "-1 is no limit.", since="1.3"),
            should("linux/resources/pids/zero", "0 is a limit like any other.", since="1.3"),
        ),
        section(
            "rdma",
            "RDMA",
            means("linux/resources/rdma/handles", "hcaHandles limits a device's handles.", untested=_RDMA),
            means("linux/resources/rdma/objects", "hcaObjects limits a device's objects.", untested=_RDMA),
            must("linux/resources/rdma/one", "An entry has one of the two."),
        ),
        section(
            "unified",
            "Unified",
            means(
                "linux/unified/written",
                "Each key is a file of the cgroup, which gets the value.",
                since="1.1",
            ),
            must("linux/unified/controllers", "The controllers that are needed are enabled.", since="1.1"),
            must(
                "linux/unified/unknown",
                "A file that the runtime doesn't know is written as well.",
                since="1.1",
            ),
            must(
                "linux/unified/missing-controller", "A controller that is not there is an error.", since="1.1"
            ),
            may(
                "linux/unified/conversion",
                "Settings of cgroup v1 are converted on v2.",
                since="1.1",
                untested="",
            ),
            must(
                "linux/unified/no-conversion",
                "A setting of v1 that has no counterpart on v2 is an error.",
                since="1.1",
            ),
        ),
        section(
            "intelrdt",
            "IntelRdt",
            _rdt("tasks", "The container's process is in the group named by closID."),
            _rdt("no-resctrl", "Without a mounted resctrl intelRdt is an error.", untested=""),
            _rdt("unset", "Without intelRdt no resctrl is touched.", level="MUST NOT"),
            _rdt("default-clos", "closID / is the root of resctrl.", since="1.3"),
            _rdt(
                "l3-prefix", "l3CacheSchema starts with L3: and is one line.", level="SHOULD", untested=AUTHOR
            ),
            _rdt("mb-prefix", "memBwSchema starts with MB: and is one line."),
            _rdt("schemata-lines", "Each entry of schemata is one line.", since="1.3"),
            _rdt("both-written", "l3CacheSchema and then memBwSchema are written to the schemata file."),
            _rdt("one-written", "One of them alone is written to the schemata file."),
            _rdt("schemata-written", "schemata is written to the schemata file, last.", since="1.3"),
            _rdt("none-written", "Without any of the three no schemata file is written.", level="MUST NOT"),
            _rdt("no-clos-id", "Without closID the group is named after the container, and created."),
            _rdt(
                "clos-created", "A group closID that isn't there is created when there is something to write."
            ),
            _rdt("clos-compared", "If it is there, its schemata are compared, and an error if they differ."),
            _rdt("clos-only", "closID alone has to be there already, or it is an error."),
            _rdt("removed", "A group named after the container is removed with it."),
            _rdt("kept", "Any other group is not.", level="MUST NOT"),
            _rdt("monitoring", "enableMonitoring makes a monitoring group, and removes it.", since="1.3"),
            _rdt("monitoring-error", "If that group can't be made, it is an error.", since="1.3"),
        ),
        section(
            "memory-policy",
            "Memory policy",
            required(
                "linux/memory-policy/mode/present", "memoryPolicy has a mode, or is refused.", since="1.3"
            ),
            means("linux/memory-policy/mode", "The program has the configured mode and nodes.", since="1.3"),
            means("linux/memory-policy/flags", "The program has the configured flags.", since="1.3"),
        ),
        section(
            "sysctl",
            "Sysctl",
            means("linux/sysctl", "Kernel parameters have the configured values, in the container alone."),
        ),
        section(
            "seccomp",
            "Seccomp",
            required("linux/seccomp/default-action/present", "seccomp has a defaultAction, or is refused."),
            means("linux/seccomp/default-action", "defaultAction is for calls that no rule matches."),
            means(
                "linux/seccomp/default-errno-ret",
                "defaultErrnoRet is the error of the default action.",
                since="1.1",
            ),
            must(
                "linux/seccomp/default-errno-ret/unusable",
                "With a default action that has no error it is an error.",
                since="1.1",
            ),
            means("linux/seccomp/architectures", "architectures are those that the filter is for."),
            means("linux/seccomp/flags", "flags are those of the filter."),
            must("linux/seccomp/listener/type", "The listener is a stream socket.", since="1.1"),
            must("linux/seccomp/listener/one-state", "One state is sent per connection.", since="1.1"),
            must_not("linux/seccomp/listener/no-reuse", "A connection is not used again.", since="1.1"),
            must(
                "linux/seccomp/listener/closed",
                "A connection is closed after the state was sent.",
                since="1.1",
            ),
            must("linux/seccomp/listener/error", "A state that cannot be sent is an error.", since="1.1"),
            means(
                "linux/seccomp/listener/ignored",
                "Without SCMP_ACT_NOTIFY listenerPath is ignored.",
                since="1.1",
            ),
            required(
                "linux/seccomp/listener/seccomp-fd",
                "The filter's descriptor is sent as seccompFd.",
                since="1.1",
            ),
            means("linux/seccomp/listener/metadata", "listenerMetadata is sent as metadata.", since="1.1"),
            must_not(
                "linux/seccomp/listener/metadata-alone", "listenerMetadata alone is refused.", since="1.1"
            ),
            required("linux/seccomp/syscalls/names/present", "A rule has names, or is refused."),
            must("linux/seccomp/syscalls/names/one", "names is not empty, or is refused."),
            required("linux/seccomp/syscalls/action/present", "A rule has an action, or is refused."),
            *(
                means(
                    f"linux/seccomp/action/{name.lower().replace('_', '-')}",
                    f"The action SCMP_ACT_{name}: {text}.",
                    since=since,
                )
                for name, text, since in (
                    ("KILL", "the thread is killed", "1.0"),
                    ("KILL_PROCESS", "the process is killed", "1.1"),
                    ("KILL_THREAD", "the thread is killed", "1.1"),
                    ("TRAP", "the process gets SIGSYS", "1.0"),
                    ("ERRNO", "the call fails", "1.0"),
                    ("TRACE", "without a tracer the call fails with ENOSYS", "1.0"),
                    ("ALLOW", "the call is made", "1.0"),
                    ("LOG", "the call is made, and logged", "1.0"),
                    ("NOTIFY", "whoever holds the descriptor decides", "1.1"),
                )
            ),
            means("linux/seccomp/syscalls/errno-ret", "errnoRet is the error of a rule.", since="1.1"),
            must(
                "linux/seccomp/syscalls/errno-ret/unusable",
                "With an action that has no error it is an error.",
                since="1.1",
            ),
            means("linux/seccomp/syscalls/errno-default", "Without it the error is EPERM."),
            required("linux/seccomp/args/index", "An argument has an index, or is refused."),
            required("linux/seccomp/args/value", "An argument has a value, or is refused."),
            required("linux/seccomp/args/op/present", "An argument has an operator, or is refused."),
            *(
                means(f"linux/seccomp/op/{name.lower()}", f"The operator SCMP_CMP_{name.upper()}: {text}.")
                for name, text in {
                    "ne": "the argument is not the value",
                    "lt": "it is less",
                    "le": "it is not greater",
                    "eq": "it is the value",
                    "ge": "it is not less",
                    "gt": "it is greater",
                    "masked_eq": "the bits of value in it are valueTwo",
                }.items()
            ),
        ),
        section(
            "the-container-process-state",
            "Container process state",
            must(
                "linux/process-state/json",
                "The state is sent as JSON, and the descriptors as SCM_RIGHTS.",
                since="1.1",
            ),
            may("linux/process-state/several", "It is sent by several calls.", since="1.1"),
            must("linux/process-state/first", "The descriptors come with the first of them.", since="1.1"),
            required("linux/process-state/oci-version", "It holds ociVersion.", since="1.1"),
            means("linux/process-state/fds", "It names the descriptors, in order.", since="1.1"),
            required("linux/process-state/pid", "It holds the PID, as the runtime sees it.", since="1.1"),
            required("linux/process-state/state", "It holds the container's state.", since="1.1"),
        ),
        section(
            "rootfs-mount-propagation",
            "Rootfs mount propagation",
            *(
                means(f"linux/rootfs-propagation/{name}", f"{name}: {text}.")
                for name, text in {
                    "shared": "the root belongs to a peer group of its own",
                    "slave": "mounts of the host reach the container, and none the other way",
                    "private": "mounts reach neither the container nor the host",
                    "unbindable": "the root is private and cannot be bound",
                }.items()
            ),
        ),
        section(
            "masked-paths",
            "Masked paths",
            means("linux/masked-paths", "Masked paths can't be read."),
            must("linux/masked-paths/absolute", "Masked paths are absolute, or are refused."),
        ),
        section(
            "readonly-paths",
            "Readonly paths",
            means("linux/readonly-paths", "Read-only paths can be read and not written."),
            must("linux/readonly-paths/absolute", "Read-only paths are absolute, or are refused."),
        ),
        section(
            "mount-label",
            "Mount label",
            means("linux/mount-label", "Mounts have the label mountLabel."),
        ),
        section(
            "personality",
            "Personality",
            required("linux/personality/domain/present", "personality has a domain, or is refused."),
            means("linux/personality/domain", "The program has the execution domain."),
        ),
    ),
)
