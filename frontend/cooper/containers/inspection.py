"""What `inspect` shows of a container, by docker's names."""

from __future__ import annotations

import posix
import time

from cooper.containers import record
from cooper.containers.launch import cgroup_path
from cooper.containers.lookup import find, open_database
from cooper.containers.mounts import source_of
from cooper.containers.network import port_bindings
from cooper.errors import NotFound, UsageError
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings
    from cooper.state.database import Database

KINDS = ("container", "image", "network", "volume")
_NEVER = "0001-01-01T00:00:00Z"
_HEALTH_RESULTS = 5


def inspect_objects(invocation: Invocation, kind: str) -> int:
    """`cooper inspect`."""
    from cooper.cli.output import STDERR, print_line, write

    if kind and kind not in KINDS:
        raise UsageError(f"--type: {kind!r} is none of {', '.join(KINDS)}")
    settings, form = invocation.settings, invocation.options["format"]
    database = open_database(settings)
    found, status = [], 0
    for name in invocation.arguments:
        try:
            found.append(_inspect(settings, database, name, (kind,) if kind else KINDS))
        except NotFound as error:
            write(STDERR, f"cooper: {error}\n")
            status = 1
    if invocation.options["size"]:
        from cooper.containers.rootfs import written_bytes

        for each in found:
            if "HostConfig" in each:
                each["SizeRw"] = written_bytes(settings, find(settings, database, each["Id"]))
    if form in ("", "json"):
        print_line(jsontext.dumps(found, indent=None if form else 4))
        return status
    from cooper.cli.template import Template

    template = Template(form)
    for each in found:
        print_line(template.render(each))
    return status


def _inspect(settings: Settings, database: Database, name: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    for kind in kinds:
        try:
            if kind == "container":
                return inspect(settings, find(settings, database, name))
            if kind == "image":
                from cooper.containers.images import inspect_image

                return inspect_image(settings, name)
            if kind == "network":
                from cooper.containers.network import inspect_network

                return inspect_network(settings, database, name)
            from cooper.volumes.store import inspect_volume

            return inspect_volume(settings, database, name)
        except NotFound:
            continue
    what = kinds[0] if len(kinds) == 1 else "container, image, network or volume"
    raise NotFound(f"there is no {what} {name}")


def inspect(settings: Settings, container: Container) -> dict[str, Any]:
    """All that is known of the container."""
    options = container.options
    image = options["image_config"]
    command = jsontext.loads(container.command.encode())
    assert isinstance(command, list)
    directory = settings.container_directory(container.id)
    return {
        "Id": container.id,
        "Created": timestamp(container.created),
        "Path": command[0] if command else "",
        "Args": command[1:],
        "State": _state(settings, container),
        "Image": container.image_id,
        "ImageName": container.image,
        **_files(container, options, directory),
        "Name": container.name,
        "RestartCount": container.restarts,
        "Platform": "linux",
        **_storage(settings, container),
        "BundlePath": directory,
        "OCIRuntime": options["runtime"],
        "Rootfs": options["rootfs"],
        "Mounts": _mounts(settings, options),
        "Config": {
            "Hostname": options["hostname"] or container.short_id,
            "Domainname": options["domainname"],
            "User": options["user"] or image.get("User") or "",
            "AttachStdin": options["interactive"] and not options["detached"],
            "AttachStdout": not options["detached"],
            "AttachStderr": not options["detached"],
            "Tty": options["tty"],
            "OpenStdin": options["interactive"],
            "StdinOnce": options["interactive"] and not options["detached"],
            "Env": _environment(settings, container, options, image),
            "Cmd": options["args"] or image.get("Cmd") or [],
            "Entrypoint": image.get("Entrypoint") if options["entrypoint"] is None else options["entrypoint"],
            "Image": container.image,
            "WorkingDir": options["workdir"] or image.get("WorkingDir") or "",
            "Labels": container.labels,
            "Annotations": options["annotations"],
            "StopSignal": options["stop_signal"],
            "StopTimeout": options["stop_timeout"],
            "Healthcheck": _health_check(options),
            "ExposedPorts": image.get("ExposedPorts") or {},
            "Volumes": image.get("Volumes") or {},
        },
        "HostConfig": _host_config(settings, container, options),
        "NetworkSettings": _network_settings(container),
    }


def _files(container: Container, options: dict[str, Any], directory: str) -> dict[str, str]:
    """Where the container's files are on the host; "" for those that it has not."""
    host = options["network"].get("networks") == ["host"]
    etc = "/etc" if host else directory
    found = {
        name: path if host or posix.access(path, posix.F_OK) else ""
        for name, path in (("HostsPath", f"{etc}/hosts"), ("ResolvConfPath", f"{etc}/resolv.conf"))
    }
    hostname = f"{directory}/hostname"
    found["HostnamePath"] = hostname if posix.access(hostname, posix.F_OK) else ""
    return {**found, "LogPath": f"{directory}/log" if options["log"]["driver"] == "k8s-file" else ""}


def _storage(settings: Settings, container: Container) -> dict[str, Any]:
    """The layers of a container that was made of an image."""
    if not container.image_id:
        return {"Driver": "", "GraphDriver": {"Name": "", "Data": {}}}
    from cooper.containers.rootfs import directories

    return {"Driver": "overlay", "GraphDriver": {"Name": "overlay", "Data": directories(settings, container)}}


def _health_check(options: dict[str, Any]) -> dict[str, Any] | None:
    """The check by the image's names for it, which are docker's; durations in nanoseconds."""
    if options["health"] == {}:
        return {"Test": ["NONE"]}
    from cooper.containers.health import DURATIONS, health_check

    check = health_check(options)
    if not check:
        return None
    return {
        "Test": ["CMD", *check["command"]],
        **{name: int(check[key] * 1e9) for name, key in DURATIONS},
        "Retries": check["retries"],
    }


def timestamp(nanoseconds: int) -> str:
    """RFC 3339, as docker writes it."""
    if not nanoseconds:
        return _NEVER
    seconds, rest = divmod(nanoseconds, 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def _state(settings: Settings, container: Container) -> dict[str, Any]:
    status = container.status
    state: dict[str, Any] = {
        "Status": status,
        "Running": container.state == record.RUNNING,
        "Paused": status == "paused",
        "Restarting": status == "restarting",
        "OOMKilled": bool(container.oom),
        "Dead": False,
        "Pid": container.pid if container.state == record.RUNNING else 0,
        "ExitCode": container.exit_status,
        "Error": container.error,
        "StartedAt": timestamp(container.started),
        "FinishedAt": timestamp(container.finished),
    }
    if container.health:
        results = _health_results(settings, container)
        streak = 0
        for result in reversed(results):
            if not result["ExitCode"]:
                break
            streak += 1
        state["Health"] = {
            "Status": container.health,
            "FailingStreak": streak,
            "Log": results[-_HEALTH_RESULTS:],
        }
    return state


def _health_results(settings: Settings, container: Container) -> list[dict[str, Any]]:
    """What supervisor/health.c has noted: "BEGIN END STATUS LENGTH", then so many bytes."""
    try:
        data = record.read_file(f"{settings.run_directory(container.id)}/health")
    except OSError:
        return []
    results = []
    while data:
        head, _, data = data.partition(b"\n")
        words = head.split()
        if len(words) != 4:
            break
        begin, end, status, length = map(int, words)
        output = data[:length].decode("utf-8", "replace")
        results.append(
            {"Start": timestamp(begin), "End": timestamp(end), "ExitCode": status, "Output": output}
        )
        data = data[length + 1 :]
    return results


def _environment(
    settings: Settings, container: Container, options: dict[str, Any], image: dict[str, Any]
) -> list[str]:
    """As the program got it, or would get it of what is known before its first start."""
    try:
        path = f"{settings.container_directory(container.id)}/config.json"
        config = jsontext.loads(record.read_file(path))
        return list(config["process"]["env"])  # type: ignore[index]
    except OSError:
        return [*(image.get("Env") or []), *options["env"]]


def _mounts(settings: Settings, options: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "Type": mount["type"],
            "Name": mount["source"] if mount["type"] == "volume" else "",
            "Source": source_of(settings, mount),
            "Destination": mount["target"],
            "Mode": ",".join(mount["options"]),
            "RW": not {"ro", "readonly", "rro"} & set(mount["options"]),
        }
        for mount in options["mounts"]
    ]


def _host_config(settings: Settings, container: Container, options: dict[str, Any]) -> dict[str, Any]:
    limits = options["resources"]
    return {
        "Binds": [
            ":".join(filter(None, (mount["source"], mount["target"], ",".join(mount["options"]))))
            for mount in options["mounts"]
            if mount["type"] != "tmpfs"
        ],
        "NetworkMode": (options["network"].get("networks") or ["default"])[0],
        "PortBindings": port_bindings(options),
        "PublishAllPorts": bool(options["network"].get("publish_all")),
        "Dns": options["network"].get("dns", []),
        "DnsOptions": options["network"].get("dns_option", []),
        "DnsSearch": options["network"].get("dns_search", []),
        "ExtraHosts": options["network"].get("add_host", []),
        "RestartPolicy": {
            "Name": options["restart"]["name"],
            "MaximumRetryCount": options["restart"]["maximum"],
        },
        "AutoRemove": options["remove"],
        "VolumesFrom": options["volumes_from"],
        "GroupAdd": options["groups"],
        "Runtime": options["runtime"],
        "LogConfig": {"Type": options["log"]["driver"], "Config": _log_options(options["log"])},
        "Privileged": options["privileged"],
        "ReadonlyRootfs": options["read_only"],
        "CapAdd": options["cap_add"],
        "CapDrop": options["cap_drop"],
        "SecurityOpt": options["security_opt"],
        "Devices": options["devices"],
        "Ulimits": [{"Name": name, "Soft": soft, "Hard": hard} for name, soft, hard in options["ulimits"]],
        "Sysctls": options["sysctls"],
        "ShmSize": options["shm_size"],
        "Init": options["init"],
        "UsernsMode": options["userns"],
        "PidMode": options["pid"],
        "IpcMode": options["ipc"],
        "UTSMode": options["uts"],
        "CgroupnsMode": options["cgroupns"],
        "CgroupParent": options["cgroup_parent"],
        "CgroupPath": cgroup_path(settings, container, options),
        "Memory": limits.get("memory", 0),
        "MemorySwap": limits.get("memory_swap", limits.get("memory", 0) * 2),
        "MemoryReservation": limits.get("memory_reservation", 0),
        "NanoCpus": int(limits.get("cpus", 0) * 1e9),
        "CpuShares": limits.get("cpu_shares", 0),
        "CpuPeriod": limits.get("cpu_period", 0),
        "CpuQuota": limits.get("cpu_quota", 0),
        "CpusetCpus": limits.get("cpuset_cpus", ""),
        "CpusetMems": limits.get("cpuset_mems", ""),
        "PidsLimit": limits.get("pids_limit", 0),
        "OomScoreAdj": options["oom_score_adj"],
        "Tmpfs": {m["target"]: ",".join(m["options"]) for m in options["mounts"] if m["type"] == "tmpfs"},
    }


def _log_options(log: dict[str, Any]) -> dict[str, str]:
    if log["driver"] == "journald":
        return {"tag": log["tag"]} if "tag" in log else {}
    return {"max-size": str(log["size"]), "max-file": str(log["files"])}


def _network_settings(container: Container) -> dict[str, Any]:
    from cooper.networks.requests import Port

    network = container.network
    ports: dict[str, list[dict[str, str]]] = {}
    for port in network.get("ports", []):
        key = f"{port['container_port']}/{port['protocol']}"
        ports.setdefault(key, []).extend(
            {"HostIp": address, "HostPort": str(port["host_port"])}
            for address in Port(**port).host_addresses()
        )
    networks = network.get("networks", {})
    first: dict[str, Any] = next(iter(networks.values()), {})
    return {
        "Bridge": "",
        "Ports": ports,
        "Networks": networks,
        "SandboxKey": network.get("namespace", ""),
        "IPAddress": first.get("IPAddress", ""),
        "GlobalIPv6Address": first.get("GlobalIPv6Address", ""),
        "Gateway": first.get("Gateway", ""),
        "MacAddress": first.get("MacAddress", ""),
    }
