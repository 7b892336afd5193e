"""Containers of one network find each other by name: aardvark-dns answers on every bridge (docs/adr/0009).

It serves all networks at once, reads one file per network and again on SIGHUP, asks the host's own resolver for
what it does not know, and ends by itself when no file is left. It does not listen on port 53: rules lead there.

A file's lines: the addresses to listen on, then per container its id, its IPv4 and IPv6 addresses, its names and
the servers to ask for it, each list joined by commas.
"""

from __future__ import annotations

import posix

from cooper.networks.processes import SIGHUP, SIGTERM, end
from cooper.networks.programs import find, run
from cooper.networks.rules import NAMES_PORT
from cooper.settings import make_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cooper.networks.store import Connected, Endpoint, Network
    from cooper.settings import Settings

PROGRAM = "aardvark-dns"
PID_FILE = "aardvark.pid"
DIRECTORIES = ("/usr/lib/podman", "/usr/libexec/podman")
# An address that nothing can be sent to: older versions would forward the questions of internal networks.
NOWHERE = "255.255.255.255"
# How newer versions know a network whose questions they are not to forward.
INTERNAL = "%int"


def is_installed() -> bool:
    """Whether there is an aardvark-dns."""
    return bool(find(PROGRAM, DIRECTORIES))


def configuration(
    network: Network, endpoints: Sequence[Endpoint], containers: Mapping[str, Connected]
) -> str:
    """The text of a network's file.

    Args:
        containers: by id.
    """
    listen = ",".join(lease.gateway for lease in network.subnets)
    lines = [f"{listen} {NOWHERE}" if network.internal else listen]
    for endpoint in endpoints:
        connected = containers[endpoint.container]
        known = dict.fromkeys([connected.name, *endpoint.aliases, endpoint.container[:12]])
        ask = "" if network.internal else ",".join(connected.servers)
        columns = [
            endpoint.container,
            ",".join(address for address in endpoint.addresses if ":" not in address),
            ",".join(address for address in endpoint.addresses if ":" in address),
            ",".join(name.lower() for name in known if name),
        ]
        lines.append(" ".join([*columns, ask] if ask else columns))
    return "".join(f"{line}\n" for line in lines)


def update(settings: Settings, files: Mapping[str, str]) -> str:
    """The names of these networks, and of no others, are answered from now on, or in a moment.

    Args:
        files: the file's name -> `configuration`, for the networks with containers.

    Returns: a warning, if no names are answered.
    """
    program = find(PROGRAM, DIRECTORIES)
    if not program:
        return f"containers do not find each other by name: {PROGRAM} is not installed"
    directory = f"{settings.run}/names"
    make_directory(directory)
    changed = False
    for name in posix.listdir(directory):
        if name not in files and name != PID_FILE:
            posix.unlink(f"{directory}/{name}")
            changed = True
    for name, text in files.items():
        changed = _write(settings, f"{directory}/{name}", text) or changed
    running = _running(directory)
    if running and not files:
        # It would end by itself, but when? The next container must not count on one that is about to.
        end(running, SIGTERM)
    elif running and changed:
        posix.kill(running, SIGHUP)
    elif not running and files:
        return _start(program, directory, files)
    return ""


def _start(program: str, directory: str, files: Mapping[str, str]) -> str:
    import _socket

    for text in files.values():
        address = text.split()[0].split(",")[0]
        family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
        trial = _socket.socket(family, _socket.SOCK_DGRAM)
        try:
            trial.bind((address, NAMES_PORT))
        except OSError as error:
            return (
                f"containers do not find each other by name: port {NAMES_PORT} of {address}: {error.strerror}"
            )
        finally:
            trial.close()
    status, _, errors = run(program, ["--config", directory, "--port", str(NAMES_PORT), "run"])
    if status:
        return (
            f"containers do not find each other by name: {PROGRAM}: {errors.strip().rpartition(chr(10))[2]}"
        )
    return ""


def _write(settings: Settings, path: str, text: str) -> bool:
    """The file has the text, at once; returns whether it had another."""
    data = text.encode()
    try:
        with open(path, "rb") as file:
            if file.read() == data:
                return False
    except FileNotFoundError:
        pass
    temporary = f"{settings.run}/names.new"
    with open(temporary, "wb") as file:
        file.write(data)
    posix.rename(temporary, path)
    return True


def _running(directory: str) -> int:
    """The process that serves the directory, or 0."""
    try:
        with open(f"{directory}/{PID_FILE}", "rb") as file:
            pid = int(file.read() or b"0")
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return pid if directory.encode() in file.read().split(b"\0") else 0
    except (OSError, ValueError):
        return 0
