"""What the program in a container sees, as names and values that are the same whatever the runtime and the bundle."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from ociconformance import bundle, machine
from ociconformance.container import Container, eventually
from ociconformance.probe import mounts
from ociconformance.runtime import Runtime

Observation = dict[str, str]

NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
STATUS = (
    "Umask", "Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp",
    "Cpus_allowed_list", "Mems_allowed_list", "SigBlk", "SigIgn",
)  # fmt: skip
SCRIPT = r"""
part() { echo "@@ $1"; }
part status; cat /proc/$$/status
part limits; cat /proc/$$/limits
part mounts; cat /proc/$$/mountinfo
part env; tr '\0' '\n' < /proc/$$/environ
part cwd; pwd
part names; cat /proc/sys/kernel/hostname
part oom; cat /proc/$$/oom_score_adj
part fds; ls /proc/$$/fd
part dev; stat -c '%n %F %a %u:%g %t:%T' /dev/* /etc/* /
part links; for each in /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx; do echo "$each $(readlink $each)"; done
part sysctl; for each in net/ipv4/ip_forward kernel/msgmax kernel/shmmni net/ipv4/ip_default_ttl; do
    echo "$each $(cat /proc/sys/$each 2>&1)"; done
part files; for each in /proc/kcore /etc/file; do head -c 8 $each >/dev/null 2>&1 && echo "$each $(head -c 8 $each 2>&1 | wc -c)"; done
part namespaces; for each in cgroup ipc mnt net pid user uts; do echo "$each $(readlink /proc/$$/ns/$each)"; done
part end; sleep 1000
"""
CGROUP_FILES = {
    "memory": ("memory.limit_in_bytes", "memory.max"),
    "pids": ("pids.max",),
    "cpu": ("cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.max"),
    "cpuset": ("cpuset.cpus",),
}


def apply(config: dict[str, Any], changes: dict[str, Any], source: Path) -> None:
    """The configuration with its changes. Mounts are added to those that are there."""
    changes = json.loads(json.dumps(changes).replace('"SOURCE"', json.dumps(str(source))))
    for pointer, value in changes.items():
        *parents, last = pointer.split("/")[1:]
        part = config
        for name in parents:
            part = part[name]
        part[last] = [*part[last], *value] if pointer == "/mounts" else value
    namespaces = {each["type"] for each in config["linux"]["namespaces"]}
    if "network" not in namespaces:
        # A sysfs shows a network namespace, and is mounted by whom it belongs to.
        config["mounts"] = [each for each in config["mounts"] if each["destination"] != "/sys"]


def observe(
    executable: str, name: str, place: Path, busybox: Path, changes: dict[str, Any], cgroup: str
) -> Observation:
    """What the program sees; a runtime that refuses the configuration is one value, `refused`."""
    directory = place / name
    bundle.make_rootfs(directory / "rootfs", busybox)
    (directory / "rootfs" / "etc" / "file").write_text("content\n")
    source = place / "source"
    runtime = Runtime(executable, directory)
    config = bundle.base_config("1.0.2", f"/{cgroup}/{name}")
    container = Container(runtime, f"{cgroup}-{name}", directory, config)
    apply(config, changes, source)
    config["process"]["args"] = ["sh", "-c", SCRIPT]
    os.umask(0o022)
    outcome = container.try_create()
    if outcome.status == 0:
        outcome = container.try_start()
    if outcome.status != 0:
        return {"refused": "yes", "(said)": outcome.errors.strip()}
    try:
        eventually(lambda: "@@ end" in container.output or not container.alive(), "the program has reported")
        return {**_flat(container.output), **_cgroups(container)}
    finally:
        container.try_kill("KILL")
        container.wait()
        container.try_delete("--force")


def _cgroups(container: Container) -> Observation:
    found = {}
    for controller, files in CGROUP_FILES.items():
        top = machine.hierarchy(controller)
        for file in files:
            path = Path(top or "/none", container.linux["cgroupsPath"].lstrip("/"), file)
            if path.exists():
                found[f"cgroup {file}"] = path.read_text().strip()
    return found


def _flat(text: str) -> Observation:
    """The parts of the report as single values."""
    parts = dict(part.partition("\n")[::2] for part in text.split("@@ ")[1:])
    found: Observation = {}
    for line in parts.get("status", "").splitlines():
        key, _, value = line.partition(":")
        if key in STATUS:
            found[f"status {key}"] = " ".join(value.split())
    for line in parts.get("limits", "").splitlines()[1:]:
        found[f"limit {line[:26].strip()}"] = " ".join(line[26:].split())
    found.update(_mounts(parts.get("mounts", "")))
    for line in parts.get("namespaces", "").splitlines():
        name, _, link = line.partition(" ")
        found[f"namespace {name}"] = "host" if link == os.readlink(f"/proc/self/ns/{name}") else "own"
    for name in ("dev", "links", "sysctl", "files"):
        for line in parts.get(name, "").splitlines():
            key, _, value = line.partition(" ")
            found[f"{name} {key}"] = value
    found["env"] = "\n".join(sorted(parts.get("env", "").strip("\n").split("\n")))
    for name in ("cwd", "names", "oom", "fds"):
        found[name] = parts.get(name, "").strip()
    return found


def _mounts(text: str) -> Observation:
    """Every mount by its place, and the how-manieth there it is."""
    found: Observation = {}
    seen: dict[str, int] = {}
    for mount in mounts(text.strip()):
        number = seen[mount.point] = seen.get(mount.point, 0) + 1
        at = f"mount {mount.point}" + (f" #{number}" if number > 1 else "")
        # The root within the file system names the bundle, which has another name for every runtime.
        root = re.sub(r"^/oci-conformance/.*?(/rootfs|/source)", r"\1", mount.root)
        found |= {
            at: mount.type,
            f"{at} root": root,
            f"{at} options": ",".join(sorted(mount.options)),
            f"{at} source": mount.source,
            f"{at} super": ",".join(sorted(mount.super_options)),
            f"{at} propagation": ",".join(sorted(mount.propagation)),
        }
    return found
