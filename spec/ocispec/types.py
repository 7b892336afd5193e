"""The shape of config.json for type checkers: import it under TYPE_CHECKING only.

A member that is not Required may be absent; a `null` in the file counts as absent (ocispec.config).
Members the specification does not know stay in the dicts, unseen by these types.
"""

from __future__ import annotations

from typing import Literal, Required, TypedDict

Annotations = dict[str, str]

NamespaceType = Literal["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"]


class Config(TypedDict, total=False):
    """Spec: config.md"""

    ociVersion: Required[str]
    root: Required[Root]
    mounts: list[Mount]
    process: Process
    hostname: str
    domainname: str
    hooks: Hooks
    annotations: Annotations
    linux: Linux


class Root(TypedDict, total=False):
    """Spec: config.md#root"""

    path: Required[str]
    readonly: bool


class Mount(TypedDict, total=False):
    """Spec: config.md#mounts. A relative destination is relative to "/"."""

    destination: Required[str]
    source: str
    type: str
    options: list[str]
    uidMappings: list[IDMapping]
    gidMappings: list[IDMapping]


class IDMapping(TypedDict):
    """Spec: config-linux.md#user-namespace-mappings"""

    containerID: int
    hostID: int
    size: int


class Process(TypedDict, total=False):
    """Spec: config.md#process. Without `user` it is 0:0."""

    terminal: bool
    consoleSize: ConsoleSize
    cwd: Required[str]
    env: list[str]
    args: Required[list[str]]
    user: User
    rlimits: list[Rlimit]
    apparmorProfile: str
    capabilities: Capabilities
    noNewPrivileges: bool
    oomScoreAdj: int
    scheduler: Scheduler
    selinuxLabel: str
    ioPriority: IOPriority
    execCPUAffinity: ExecCPUAffinity


class ConsoleSize(TypedDict):
    """In characters; to be ignored without `terminal`."""

    height: int
    width: int


class User(TypedDict, total=False):
    """Spec: config.md#posix-platform-user"""

    uid: Required[int]
    gid: Required[int]
    umask: int
    additionalGids: list[int]


class Rlimit(TypedDict):
    """Spec: config.md#posix-process. 2**64-1 is "no limit"."""

    type: str
    soft: int
    hard: int


class Capabilities(TypedDict, total=False):
    """Spec: config.md#linux-process. Names may be unknown: those are warned about, not refused."""

    effective: list[str]
    bounding: list[str]
    inheritable: list[str]
    permitted: list[str]
    ambient: list[str]


class Scheduler(TypedDict, total=False):
    """Spec: config.md#linux-process. Times are in nanoseconds."""

    policy: Required[str]
    nice: int
    priority: int
    flags: list[str]
    runtime: int
    deadline: int
    period: int


IOPriority = TypedDict("IOPriority", {"class": str, "priority": int})


class ExecCPUAffinity(TypedDict, total=False):
    """Lists of CPUs such as `0-3,7`; empty is as good as absent."""

    initial: str
    final: str


class Hooks(TypedDict, total=False):
    """Spec: config.md#posix-platform-hooks"""

    prestart: list[Hook]
    createRuntime: list[Hook]
    createContainer: list[Hook]
    startContainer: list[Hook]
    poststart: list[Hook]
    poststop: list[Hook]


class Hook(TypedDict, total=False):
    """`timeout` is in seconds."""

    path: Required[str]
    args: list[str]
    env: list[str]
    timeout: int


class Linux(TypedDict, total=False):
    """Spec: config-linux.md"""

    namespaces: list[Namespace]
    uidMappings: list[IDMapping]
    gidMappings: list[IDMapping]
    timeOffsets: dict[str, TimeOffset]
    devices: list[Device]
    netDevices: dict[str, NetDevice]
    cgroupsPath: str
    resources: Resources
    intelRdt: IntelRdt
    memoryPolicy: MemoryPolicy
    sysctl: dict[str, str]
    seccomp: Seccomp
    rootfsPropagation: str
    maskedPaths: list[str]
    readonlyPaths: list[str]
    mountLabel: str
    personality: Personality


class Namespace(TypedDict, total=False):
    """Spec: config-linux.md#namespaces. An empty `path` means a new namespace, like an absent one."""

    type: Required[NamespaceType]
    path: str


class TimeOffset(TypedDict, total=False):
    """Spec: config-linux.md#offset-for-time-namespace"""

    secs: int
    nanosecs: int


class Device(TypedDict, total=False):
    """Spec: config-linux.md#devices. `major` and `minor` are there unless `type` is `p`."""

    type: Required[Literal["c", "b", "u", "p"]]
    path: Required[str]
    major: int
    minor: int
    fileMode: int
    uid: int
    gid: int


class NetDevice(TypedDict, total=False):
    """Spec: config-linux.md#network-devices. An empty `name` keeps the host's."""

    name: str


class Resources(TypedDict, total=False):
    """Spec: config-linux.md#control-groups"""

    devices: list[DeviceRule]
    memory: Memory
    cpu: CPU
    blockIO: BlockIO
    hugepageLimits: list[HugepageLimit]
    network: Network
    pids: Pids
    rdma: dict[str, RdmaLimit]
    unified: dict[str, str]


class DeviceRule(TypedDict, total=False):
    """Spec: config-linux.md#allowed-device-list. Absent or -1 numbers mean all; `access` may be empty."""

    allow: Required[bool]
    type: Literal["a", "c", "b"]
    major: int
    minor: int
    access: str


class Memory(TypedDict, total=False):
    """Spec: config-linux.md#memory. Limits in bytes, -1 for unlimited; `swap` includes memory."""

    limit: int
    reservation: int
    swap: int
    kernel: int
    kernelTCP: int
    swappiness: int
    disableOOMKiller: bool
    useHierarchy: bool
    checkBeforeUpdate: bool


class CPU(TypedDict, total=False):
    """Spec: config-linux.md#cpu. Times are in microseconds; `cpus` and `mems` are for the kernel."""

    shares: int
    quota: int
    burst: int
    period: int
    realtimeRuntime: int
    realtimePeriod: int
    cpus: str
    mems: str
    idle: int


class BlockIO(TypedDict, total=False):
    """Spec: config-linux.md#block-io"""

    weight: int
    leafWeight: int
    weightDevice: list[WeightDevice]
    throttleReadBpsDevice: list[ThrottleDevice]
    throttleWriteBpsDevice: list[ThrottleDevice]
    throttleReadIOPSDevice: list[ThrottleDevice]
    throttleWriteIOPSDevice: list[ThrottleDevice]


class WeightDevice(TypedDict, total=False):
    """At least one of the weights is there."""

    major: Required[int]
    minor: Required[int]
    weight: int
    leafWeight: int


class ThrottleDevice(TypedDict):
    """`rate` is in bytes or operations per second."""

    major: int
    minor: int
    rate: int


class HugepageLimit(TypedDict):
    """Spec: config-linux.md#huge-page-limits. `limit` is in bytes."""

    pageSize: str
    limit: int


class Network(TypedDict, total=False):
    """Spec: config-linux.md#network"""

    classID: int
    priorities: list[InterfacePriority]


class InterfacePriority(TypedDict):
    """`name` is the interface's in the runtime's network namespace."""

    name: str
    priority: int


class Pids(TypedDict, total=False):
    """Spec: config-linux.md#pids. -1 is unlimited, 0 is a limit of none."""

    limit: int


class RdmaLimit(TypedDict, total=False):
    """Spec: config-linux.md#rdma. At least one is there."""

    hcaHandles: int
    hcaObjects: int


class IntelRdt(TypedDict, total=False):
    """Spec: config-linux.md#intelrdt"""

    closID: str
    l3CacheSchema: str
    memBwSchema: str
    schemata: list[str]
    enableMonitoring: bool


class MemoryPolicy(TypedDict, total=False):
    """Spec: config-linux.md#memory-policy"""

    mode: Required[str]
    nodes: str
    flags: list[str]


class Seccomp(TypedDict, total=False):
    """Spec: config-linux.md#seccomp"""

    defaultAction: Required[str]
    defaultErrnoRet: int
    architectures: list[str]
    flags: list[str]
    listenerPath: str
    listenerMetadata: str
    syscalls: list[Syscall]


class Syscall(TypedDict, total=False):
    """One rule for one or more system calls; `args` must all match."""

    names: Required[list[str]]
    action: Required[str]
    errnoRet: int
    args: list[SyscallArg]


class SyscallArg(TypedDict, total=False):
    """`index` is 0 to 5."""

    index: Required[int]
    value: Required[int]
    valueTwo: int
    op: Required[str]


class Personality(TypedDict, total=False):
    """Spec: config-linux.md#personality. No flags are defined, so `flags` is empty."""

    domain: Required[Literal["LINUX", "LINUX32"]]
    flags: list[str]


class State(TypedDict, total=False):
    """Spec: runtime.md#state"""

    ociVersion: Required[str]
    id: Required[str]
    status: Required[str]
    pid: int
    bundle: Required[str]
    annotations: Annotations
