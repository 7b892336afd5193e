"""`cooper exec`: one more program in a container, by the runtime's `exec` in the foreground.

The runtime has the streams itself: nothing is copied on the way. A terminal is a supervisor's, as a container's is.
"""

from __future__ import annotations

import _signal
import posix

from cooper.cli.output import STDERR, STDIN, STDOUT, write
from cooper.containers import record, runtime
from cooper.containers.lookup import open_database, running
from cooper.containers.names import new_id
from cooper.containers.options import read_environment
from cooper.containers.runtime import Runtime
from cooper.errors import Conflict, UsageError
from cooper.settings import PATIENCE_S
from cooper.supervisor import client
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cooper.cli.command import Invocation
    from cooper.containers.record import Container
    from cooper.settings import Settings


def execute(invocation: Invocation) -> int:
    """The program's exit status; 0 for a detached one that was started."""
    settings, given = invocation.settings, invocation.options
    name, *arguments = invocation.arguments
    attached = given["tty"] and given["interactive"] and not given["detach"]
    if attached and not posix.isatty(STDIN):
        raise UsageError("-t needs a terminal, and standard input is none", "leave out -t")
    return _execute(settings, running(settings, open_database(settings), name), given, arguments)


def check_health(settings: Settings, name: str) -> int:
    """0 if the container's check says that it is healthy, else 1."""
    from cooper.containers.health import health_check

    container = running(settings, open_database(settings), name)
    command = health_check(container.options).get("command")
    if not command:
        raise UsageError(f"the container {name} has no health check", "--health-cmd gives it one")
    given = dict.fromkeys(("tty", "interactive", "detach", "workdir", "user", "privileged"), False)
    return min(_execute(settings, container, {**given, "env": [], "env-file": []}, command), 1)


def _execute(settings: Settings, container: Container, given: dict[str, Any], arguments: list[str]) -> int:
    if container.paused:
        raise Conflict(f"the container {container.name} is paused", f"cooper unpause {container.name}")
    process = _process(settings, container, given, arguments)
    base = f"{settings.run_directory(container.id)}/exec-{posix.getpid()}"
    log, file = f"{base}.log", f"{base}.json"
    record.write_file(file, jsontext.dumps(process).encode())
    driver = Runtime(settings, container.options["runtime"])
    try:
        if given["tty"]:
            return _on_terminal(settings, driver, container, file, given)
        return _run(driver, container, log, file, given)
    finally:
        runtime.forget(log)
        runtime.forget(file)


def _process(
    settings: Settings, container: Container, given: dict[str, Any], arguments: list[str]
) -> dict[str, Any]:
    """The container's own process with what the flags change."""
    path = f"{settings.container_directory(container.id)}/config.json"
    config = jsontext.loads(record.read_file(path))
    assert isinstance(config, dict)
    process: dict[str, Any] = config["process"]
    process["args"] = arguments
    process["terminal"] = given["tty"]
    process.pop("consoleSize", None)
    environment = dict(line.split("=", 1) for line in process.get("env", ()))
    if given["tty"]:
        from cooper.cli.foreground import terminal_size

        environment.setdefault("TERM", "xterm")
        rows, columns = terminal_size()
        process["consoleSize"] = {"height": rows, "width": columns}
    environment |= dict(line.split("=", 1) for line in read_environment(given["env"], given["env-file"]))
    process["env"] = [f"{name}={value}" for name, value in environment.items()]
    if given["workdir"]:
        process["cwd"] = given["workdir"]
    if given["user"]:
        from cooper.containers.configuration import user_of

        user = user_of(f"/proc/{container.pid}/root", given["user"])
        process["user"] = {"uid": user.uid, "gid": user.gid, "additionalGids": [user.gid, *user.groups]}
        if not any(line.startswith("HOME=") for line in read_environment(given["env"], given["env-file"])):
            process["env"] = [line for line in process["env"] if not line.startswith("HOME=")]
            process["env"].append(f"HOME={user.home}")
        if user.uid:  # as execve gives them to another user: none
            for kind in ("effective", "permitted", "inheritable", "ambient"):
                process.get("capabilities", {}).pop(kind, None)
    if given["privileged"]:
        from cooper.containers.configuration import all_capabilities

        names = all_capabilities()
        process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), names)
        process.pop("apparmorProfile", None)
    return process


def _run(driver: Runtime, container: Container, log: str, file: str, given: dict[str, Any]) -> int:
    words = ["exec", "--process", file]
    streams = (STDIN if given["interactive"] else -1, STDOUT, STDERR)
    if given["detach"]:
        command = driver.command(log, *words, "--detach", container.id)
        status = runtime.run_program(command, seconds=PATIENCE_S)
        return (
            _complain(container, runtime.complaint(log) or f"the runtime ended with {status}")
            if status
            else 0
        )
    child = runtime.spawn(driver.command(log, *words, container.id), streams)
    for number in (_signal.SIGINT, _signal.SIGQUIT):  # a terminal sends these to the runtime as well
        _signal.signal(number, _signal.SIG_IGN)
    for number in (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGUSR1, _signal.SIGUSR2):
        _signal.signal(number, lambda signal, frame: posix.kill(child, signal))
    return _result(runtime.wait_for(child), container, log)


def _complain(container: Container, complaint: str) -> int:
    """What the runtime says is on standard error; docker's status for it."""
    error = runtime.start_error(f"exec in {container.name}", complaint)
    write(STDERR, f"cooper: {error}\n")
    return error.status


def _result(status: int, container: Container, log: str) -> int:
    """The exit status; of a program that could not be run docker's, the runtime having said why on standard error."""
    complaint = runtime.complaint(log) if status else ""
    return runtime.start_error(f"exec in {container.name}", complaint).status if complaint else status


def _on_terminal(
    settings: Settings, driver: Runtime, container: Container, file: str, given: dict[str, Any]
) -> int:
    """The program has a terminal, which a supervisor of its own holds: it can be left running.

    Who only goes away hangs up, as at any terminal.
    """
    from cooper.cli.foreground import DETACHED, Foreground, detach_keys, terminal_size

    name = f"{container.id}/exec-{new_id()[:12]}"
    directory = settings.run_directory(name)
    keys = b"" if given["detach"] else detach_keys(given["detach-keys"])
    try:
        posix.mkdir(directory, 0o700)
    except FileNotFoundError as error:
        raise Conflict(f"the container {container.name} ended meanwhile") from error
    rows, columns = terminal_size()
    words = [
        "exec",
        "--process",
        file,
        "--detach",
        "--pid-file",
        f"{directory}/pid",
        "--console-socket",
        "@console",
    ]
    values: dict[str, str | int | list[str]] = {
        "id": container.id, "run": driver.command(f"{directory}/runtime.log", *words, container.id), "restart": "no",
        "terminal": 1, "input": int(given["interactive"]), "hang-up": int(not given["detach"]), "rows": rows,
        "columns": columns,
    }  # fmt: skip
    wants = client.CARETAKER | client.WANTS_OUTPUT | (client.WANTS_INPUT if given["interactive"] else 0)
    supervisor = client.start(settings, name, values, 0 if given["detach"] else wants)
    kind, data = supervisor.wait(client.STARTED, client.FAILED, seconds=PATIENCE_S)
    if kind != client.STARTED:
        supervisor.send(client.DONE)
        complaint = runtime.last_error(data.decode("utf-8", "replace")) or "its supervisor ended"
        return _complain(container, complaint)
    if given["detach"]:
        return 0
    status = Foreground(supervisor, given["interactive"], True, keys, proxy=False).run()
    supervisor.send(client.LEAVE if status == DETACHED else client.DONE)
    return 0 if status == DETACHED else status
