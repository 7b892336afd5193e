"""Valid configurations, drawn by hypothesis: a few changes to a base that every runtime takes.

A change is a pair of a JSON pointer and a value, so that a failing example prints as what matters of it.
Everything stays within what runtimes of specification 1.0 can do on any machine with root.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Changes = dict[str, Any]

MIB = 1 << 20
CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETUID",
    "CAP_SYS_ADMIN",
)
FLAGS = ("nosuid", "nodev", "noexec", "ro", "noatime", "nodiratime", "relatime")
LIMITS = {
    "RLIMIT_NOFILE": 1000,
    "RLIMIT_CORE": 0,
    "RLIMIT_CPU": 1000,
    "RLIMIT_FSIZE": 64 * MIB,
    "RLIMIT_STACK": 8 * MIB,
    "RLIMIT_MEMLOCK": 64 * 1024,
    "RLIMIT_NPROC": 1000,
    "RLIMIT_SIGPENDING": 1000,
}

_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12).filter(
    lambda name: name[0].isalpha() and name[-1] != "-"
)
_values = st.text(st.characters(codec="utf-8", exclude_characters="\0\n"), max_size=12)
_ids = st.sampled_from([0, 1, 1000, 65534, 100_000])


def _subset(values: tuple[str, ...], max_size: int = 8) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), unique=True, max_size=max_size)


@st.composite
def _user(draw: st.DrawFn) -> Changes:
    user: dict[str, Any] = {"uid": draw(_ids), "gid": draw(_ids)}
    if groups := draw(st.lists(st.integers(0, 5000), max_size=4, unique=True)):
        user["additionalGids"] = groups
    # Always: without one runtimes have habits of their own.
    user["umask"] = draw(st.sampled_from([0, 0o22, 0o27, 0o77]))
    return {"/process/user": user}


@st.composite
def _capabilities(draw: st.DrawFn) -> Changes:
    """Sets that the kernel takes: ambient ones are permitted and inheritable, permitted ones bounding."""
    bounding = draw(_subset(CAPABILITIES))
    permitted = [name for name in bounding if draw(st.booleans())]
    inheritable = [name for name in permitted if draw(st.booleans())]
    return {
        "/process/capabilities": {
            "bounding": bounding,
            "permitted": permitted,
            "effective": permitted,
            "inheritable": inheritable,
            "ambient": [name for name in inheritable if draw(st.booleans())],
        }
    }


@st.composite
def _process(draw: st.DrawFn) -> Changes:
    changes: Changes = {}
    if draw(st.booleans()):
        names = draw(st.lists(_names, unique=True, max_size=4))
        changes["/process/env"] = [
            "PATH=/bin",
            *(f"{name.upper()}={draw(_values)}" for name in names if name != "path"),
        ]
    if draw(st.booleans()):
        changes["/process/cwd"] = draw(st.sampled_from(["/", "/tmp", "/etc/made", "/dev/shm", "/proc"]))
    if draw(st.booleans()):
        changes["/process/noNewPrivileges"] = draw(st.booleans())
    if draw(st.booleans()):
        changes["/process/oomScoreAdj"] = draw(st.integers(0, 1000))
    if limits := draw(_subset(tuple(LIMITS), 4)):
        changes["/process/rlimits"] = [
            {"type": name, "hard": LIMITS[name], "soft": draw(st.integers(LIMITS[name] // 2, LIMITS[name]))}
            for name in limits
        ]
    return changes


@st.composite
def _mounts(draw: st.DrawFn) -> Changes:
    """More mounts, at places of their own or one below the other. SOURCE is a directory of the host's."""
    mounts = []
    for number in range(draw(st.integers(0, 3))):
        place = draw(st.sampled_from(["/tmp", f"/new/{number}", "/tmp/below", "/etc/new"]))
        flags = draw(_subset(FLAGS, 4))
        if draw(st.booleans()):
            options = [*flags, *draw(st.sampled_from([[], ["size=1m"], ["mode=1777", "size=64k"]]))]
            mounts.append(
                {"destination": place, "type": "tmpfs", "source": f"tmpfs-{number}", "options": options}
            )
        else:
            options = [draw(st.sampled_from(["bind", "rbind"])), *flags]
            mounts.append({"destination": place, "type": "bind", "source": "SOURCE", "options": options})
    return {"/mounts": mounts} if mounts else {}


@st.composite
def _linux(draw: st.DrawFn) -> Changes:
    changes: Changes = {}
    if draw(st.booleans()):
        changes["/linux/maskedPaths"] = draw(
            _subset(("/proc/kcore", "/proc/sys", "/etc/file", "/missing", "/sys/fs"))
        )
    if draw(st.booleans()):
        changes["/linux/readonlyPaths"] = draw(
            _subset(("/proc/sys", "/etc/file", "/bin", "/missing", "/proc/irq"))
        )
    if draw(st.booleans()):
        changes["/linux/devices"] = [
            {
                "type": draw(st.sampled_from("cb")),
                "path": draw(st.sampled_from(["/dev/made", "/etc/device"])),
                "major": draw(st.integers(1, 400)),
                "minor": draw(st.integers(0, 300)),
                "fileMode": draw(st.sampled_from([0o600, 0o640, 0o666])),
                "uid": draw(_ids),
                "gid": draw(_ids),
            }
        ]
    if draw(st.booleans()):
        changes["/linux/sysctl"] = draw(
            st.dictionaries(
                st.sampled_from(
                    ["net.ipv4.ip_forward", "kernel.msgmax", "kernel.shmmni", "net.ipv4.ip_default_ttl"]
                ),
                st.sampled_from(["0", "1", "77"]).filter(lambda value: value != "0"),
                max_size=2,
            )
        )
    return changes


@st.composite
def _resources(draw: st.DrawFn) -> Changes:
    resources: dict[str, Any] = {"devices": [{"allow": False, "access": "rwm"}]}
    if draw(st.booleans()):
        resources["memory"] = {"limit": draw(st.integers(32, 512)) * MIB}
    if draw(st.booleans()):
        resources["pids"] = {"limit": draw(st.integers(10, 1000))}
    if draw(st.booleans()):
        resources["cpu"] = {"quota": draw(st.integers(2, 50)) * 1000, "period": 50_000, "cpus": "0"}
    if draw(st.booleans()):
        resources["devices"].append(
            {"allow": True, "type": "c", "major": draw(st.integers(1, 400)), "access": "rw"}
        )
    return {"/linux/resources": resources}


@st.composite
def changes(draw: st.DrawFn) -> Changes:
    """What is changed in the base configuration: from nothing at all to everything at once."""
    found: Changes = {}
    for part in (_user(), _capabilities(), _process(), _mounts(), _linux(), _resources()):
        if draw(st.booleans()):
            found |= draw(part)
    if draw(st.booleans()):
        found["/hostname"] = draw(_names)
    if draw(st.booleans()):
        found["/root/readonly"] = draw(st.booleans())
    kept = draw(st.lists(st.sampled_from(["pid", "network", "ipc", "uts", "cgroup"]), unique=True))
    if "uts" not in kept:
        found.pop("/hostname", None)
    if "network" not in kept or "ipc" not in kept:
        found.pop("/linux/sysctl", None)
    found["/linux/namespaces"] = [{"type": type} for type in (*sorted(kept), "mount")]
    if "network" in kept and draw(st.integers(0, 3)) == 0:
        found["/linux/namespaces"].append({"type": "user"})
        for key in ("uidMappings", "gidMappings"):
            found[f"/linux/{key}"] = [{"containerID": 0, "hostID": 200_000, "size": 165_536}]
        # What is mounted below a source is not for somebody else's root to uncover.
        for mount in found.get("/mounts", []):
            mount["options"] = ["rbind" if option == "bind" else option for option in mount["options"]]
        # A device can't be given away, nor a host's file made, by somebody who is root only inside.
        found.pop("/linux/devices", None)
    return found
