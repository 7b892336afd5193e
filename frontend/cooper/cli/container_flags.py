"""The flags of run and create."""

from __future__ import annotations

from cooper.cli.command import BOOL, CONTAINER, FILE, LIST, NETWORK, NUMBER, TEXT, VOLUME, Flag

_PROCESS = (
    Flag("interactive", "i", BOOL, text="keep the standard input open"),
    Flag("tty", "t", BOOL, text="give the program a terminal"),
    Flag(
        "env", "e", LIST, "NAME[=VALUE]", "set a variable, or pass on cooper's own", aliases=("environment",)
    ),
    Flag("env-file", "", LIST, "FILE", "read variables from a file", completes=FILE),
    Flag("workdir", "w", TEXT, "DIR", "the working directory in the container"),
    Flag("user", "u", TEXT, "USER[:GROUP]", "names or numbers of the user and group"),
    Flag("group-add", "", LIST, "GROUP", "one more group of the user"),
    Flag("entrypoint", "", TEXT, "PROGRAM", "run this instead of the image's entry point"),
    Flag("init", "", BOOL, text="run an init as the first process, that forwards signals and reaps"),
    Flag("stop-signal", "", TEXT, "SIGNAL", "what `stop` sends (default: the image's, or TERM)"),
    Flag("stop-timeout", "", NUMBER, "SECONDS", "how long `stop` waits before it kills (default: 10)"),
    Flag("umask", "", TEXT, "MODE", "the file mode mask (default: 0022)"),
)
_IDENTITY = (
    Flag("name", "", TEXT, "NAME", "the container's name"),
    Flag("label", "l", LIST, "NAME=VALUE", "a label"),
    Flag("label-file", "", LIST, "FILE", "read labels from a file", completes=FILE),
    Flag("annotation", "", LIST, "NAME=VALUE", "an annotation in config.json, for the runtime"),
    Flag("hostname", "h", TEXT, "NAME", "the host name in the container"),
    Flag("domainname", "", TEXT, "NAME", "the NIS domain name in the container"),
    Flag("cidfile", "", TEXT, "FILE", "write the container's id to a new file", completes=FILE),
    Flag("rootfs", "", TEXT, "DIR", "use this directory as it is, instead of an image", completes=FILE),
    Flag("runtime", "", TEXT, "PROGRAM", "the OCI runtime of this container", completes=FILE),
    Flag(
        "pull",
        "",
        TEXT,
        "WHEN",
        "pull the image: always, missing (default), never",
        "missing",
        completes="always|missing|never|newer",
    ),
    Flag("quiet", "q", BOOL, text="no progress while the image is pulled"),
    Flag("platform", "", TEXT, "OS/ARCH[/VARIANT]", "which image of several to pull"),
    Flag(
        "restart",
        "",
        TEXT,
        "POLICY",
        "no, on-failure[:TIMES], always, unless-stopped",
        "no",
        completes="no|on-failure|always|unless-stopped",
    ),
    Flag("rm", "", BOOL, text="remove the container when it has ended"),
    Flag(
        "log-driver",
        "",
        TEXT,
        "NAME",
        "k8s-file (default; also json-file, local), journald, none",
        completes="k8s-file|json-file|local|journald|none",
    ),
    Flag("log-opt", "", LIST, "NAME=VALUE", "max-size (10m) and max-file (3) of the log; journald: tag"),
)
_MOUNTS = (
    Flag("volume", "v", LIST, "SOURCE:TARGET[:OPTIONS]", "a directory or a named volume", completes=VOLUME),
    Flag("mount", "", LIST, "type=TYPE,...", "a mount: type=bind, volume, tmpfs"),
    Flag("tmpfs", "", LIST, "TARGET[:OPTIONS]", "a file system in memory"),
    Flag("volumes-from", "", LIST, "CONTAINER[:ro]", "the volumes of another container", completes=CONTAINER),
    Flag("read-only", "", BOOL, text="the root file system is read-only"),
    Flag("shm-size", "", TEXT, "SIZE", "the size of /dev/shm (default: 64m)"),
)
RESOURCES = (
    Flag("memory", "m", TEXT, "SIZE", "the most memory it may use, e.g. 100m"),
    Flag("memory-swap", "", TEXT, "SIZE", "the most memory and swap together (-1: no limit)"),
    Flag("memory-reservation", "", TEXT, "SIZE", "how much memory is left to it when it is scarce"),
    Flag("memory-swappiness", "", NUMBER, "N", "0 to 100", -1),
    Flag("cpus", "", TEXT, "NUMBER", "the most processor time, e.g. 1.5"),
    Flag("cpu-shares", "c", NUMBER, "N", "its weight among others (default: 1024)", aliases=("cpushare",)),
    Flag("cpu-period", "", NUMBER, "MICROSECONDS", "the period of --cpu-quota"),
    Flag("cpu-quota", "", NUMBER, "MICROSECONDS", "processor time in each period"),
    Flag("cpuset-cpus", "", TEXT, "LIST", "on which processors it may run, e.g. 0-2", aliases=("cpuset",)),
    Flag("cpuset-mems", "", TEXT, "LIST", "on which memory nodes"),
    Flag("pids-limit", "", NUMBER, "N", "the most processes (-1: no limit)"),
    Flag("blkio-weight", "", NUMBER, "N", "its weight among others for disks, 10 to 1000"),
)
_MORE = (
    Flag("device-read-bps", "", LIST, "DEVICE:RATE", "the most bytes read from a device in a second"),
    Flag("device-write-bps", "", LIST, "DEVICE:RATE", "the most bytes written to a device in a second"),
    Flag("device-read-iops", "", LIST, "DEVICE:RATE", "the most reads from a device in a second"),
    Flag("device-write-iops", "", LIST, "DEVICE:RATE", "the most writes to a device in a second"),
    Flag("oom-kill-disable", "", BOOL, text="let it wait for memory instead of killing (cgroup v1)"),
    Flag("oom-score-adj", "", NUMBER, "N", "whom to kill first when memory is out, -1000 to 1000", 0),
    Flag("ulimit", "", LIST, "NAME=SOFT[:HARD]", "a resource limit, e.g. nofile=1024"),
    Flag("sysctl", "", LIST, "NAME=VALUE", "a kernel parameter of its namespaces"),
    Flag("cgroup-parent", "", TEXT, "PATH", "the control group to make its own in"),
    Flag("cgroup-conf", "", LIST, "FILE=VALUE", "what to write into a file of its group (cgroup v2)"),
)
_SECURITY = (
    Flag("cap-add", "", LIST, "NAME", "add a capability, or ALL"),
    Flag("cap-drop", "", LIST, "NAME", "take a capability away, or ALL"),
    Flag("privileged", "", BOOL, text="all capabilities and devices, no seccomp, nothing masked"),
    Flag("security-opt", "", LIST, "OPTION", "seccomp=, apparmor=, label=, no-new-privileges, systempaths="),
    Flag("device", "", LIST, "PATH[:TARGET[:rwm]]", "a device of the host"),
    Flag("device-cgroup-rule", "", LIST, "RULE", "a rule for devices, e.g. 'c 1:3 mr'"),
    Flag(
        "userns",
        "",
        TEXT,
        "MODE",
        "user namespace: host (default), auto, keep-id",
        completes="host|auto|keep-id|nomap",
    ),
    Flag("pid", "", TEXT, "MODE", "PID namespace: private (default), host, container:NAME"),
    Flag("ipc", "", TEXT, "MODE", "IPC namespace: private (default), host, container:NAME"),
    Flag("uts", "", TEXT, "MODE", "UTS namespace: private (default), host"),
    Flag("cgroupns", "", TEXT, "MODE", "cgroup namespace: private (default), host"),
)
_NETWORK = (
    Flag(
        "network",
        "",
        LIST,
        "NETWORK",
        "a network, none, host, container:NAME",
        aliases=("net",),
        completes=NETWORK,
    ),
    Flag("publish", "p", LIST, "[IP:][PORT:]PORT[/udp]", "publish a port on the host"),
    Flag("publish-all", "P", BOOL, text="publish all ports that the image exposes"),
    Flag("expose", "", LIST, "PORT", "a port that --publish-all publishes"),
    Flag("ip", "", TEXT, "ADDRESS", "the address in the network"),
    Flag("ip6", "", TEXT, "ADDRESS", "the IPv6 address in the network"),
    Flag("mac-address", "", TEXT, "ADDRESS", "the Ethernet address"),
    Flag("network-alias", "", LIST, "NAME", "one more name in the network", aliases=("net-alias",)),
    Flag("dns", "", LIST, "ADDRESS", "a name server"),
    Flag("dns-search", "", LIST, "DOMAIN", "a domain to look names up in"),
    Flag("dns-option", "", LIST, "OPTION", "an option of resolv.conf", aliases=("dns-opt",)),
    Flag("add-host", "", LIST, "NAME:ADDRESS", "a line in /etc/hosts (host-gateway: the host's address)"),
)
_HEALTH = (
    Flag("health-cmd", "", TEXT, "COMMAND", "run this to see whether it is healthy"),
    Flag("health-interval", "", TEXT, "DURATION", "time between two checks (default: 30s)"),
    Flag("health-timeout", "", TEXT, "DURATION", "when a check has failed (default: 30s)"),
    Flag("health-retries", "", NUMBER, "N", "failed checks until it is unhealthy (default: 3)"),
    Flag("health-start-period", "", TEXT, "DURATION", "time to start in which failures do not count"),
    Flag("health-start-interval", "", TEXT, "DURATION", "time between checks within it (default: 5s)"),
    Flag(
        "health-on-failure",
        "",
        TEXT,
        "ACTION",
        "when unhealthy: none (default), kill, restart, stop",
        completes="none|kill|restart|stop",
    ),
    Flag("no-healthcheck", "", BOOL, text="not even the image's own check"),
)
CREATE_FLAGS = (*_PROCESS, *_IDENTITY, *_MOUNTS, *RESOURCES, *_MORE, *_SECURITY, *_NETWORK, *_HEALTH)
ATTACH_FLAGS = (
    Flag("detach", "d", BOOL, text="run in the background and print the container's id"),
    Flag("sig-proxy", "", BOOL, text="pass signals on to the program (default: true)", default=True),
    Flag("detach-keys", "", TEXT, "KEYS", "what leaves the container running (default: ctrl-p,ctrl-q)"),
    Flag("attach", "a", LIST, "STREAM", "only these of stdin, stdout, stderr"),
)
