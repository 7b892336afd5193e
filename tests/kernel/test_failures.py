"""A create that fails leaves nothing behind, whichever operation it is that fails."""

from __future__ import annotations

import json
import mmap
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .bundle import namespaces, without
from .console import console_socket
from .driver import Container
from .host import mounted
from .test_user_namespaces import with_user_namespace

INJECTOR = Path(__file__).with_name("injector.py")


def make_rich(container: Container, directory: Path) -> None:
    """The configuration has an operation of nearly every kind."""
    (directory / "data").mkdir(exist_ok=True)
    (container.rootfs / "etc/app").mkdir(exist_ok=True)
    container.mount("/data", "rbind", "ro", source=directory / "data")
    container.mount("/etc/app", "tmpcopyup", type="tmpfs")
    container.mount("/etc/app", "remount", "ro", type="tmpfs")
    container.mount("/dev/mqueue", type="mqueue")
    container.config |= {"hostname": "box", "domainname": "example.org"}
    container.config["root"]["readonly"] = True
    container.process |= {
        "cwd": "/work",
        "noNewPrivileges": True,
        "oomScoreAdj": 500,
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 5, "hard": 100}],
    }
    container.linux |= {
        "sysctl": {"net.ipv4.ip_forward": "1"},
        "devices": [{"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229}],
        "maskedPaths": ["/proc/version", "/sys/firmware"],
        "readonlyPaths": ["/proc/sys"],
        "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        "resources": {
            "pids": {"limit": 50},
            "cpu": {"shares": 512},
            "devices": [{"allow": False, "access": "rwm"}],
        },
        "personality": {"domain": "LINUX"},
    }
    shell = str(container.rootfs / "bin/busybox")
    hook = [{"path": shell, "args": ["true"]}]
    container.config["hooks"] = dict.fromkeys(
        ("prestart", "createRuntime", "createContainer", "poststop"), hook
    )


def with_time(container: Container) -> None:
    """The container has a time namespace: stave-init enters its namespaces one by one, and forks."""
    container.linux["namespaces"] += namespaces("time")
    container.linux["timeOffsets"] = {"boottime": {"secs": 1}}


def in_user_namespace(container: Container) -> None:
    """Everything again in a user namespace, with a terminal."""
    with_user_namespace(container)
    with_time(container)
    del container.process["oomScoreAdj"]
    container.process["terminal"] = True
    container.linux["devices"] = [{"path": "/dev/null", "type": "c", "major": 1, "minor": 3}]


def among_the_hosts_mounts(container: Container) -> None:
    """Without a mount namespace mounts do not end with the process."""
    container.linux["namespaces"] = without(container.linux["namespaces"], "mount")
    del container.linux["maskedPaths"], container.linux["readonlyPaths"]
    del container.config["root"]["readonly"]


@pytest.mark.parametrize("change", [lambda _: None, in_user_namespace, among_the_hosts_mounts])
def test_every_operation(
    container: Container,
    directory: Path,
    host_unchanged: Callable[..., None],
    change: Callable[[Container], None],
) -> None:
    """Process, mounts, cgroups, state directory and the runtime's own descriptors are as before, and what is told
    is the failure."""
    make_rich(container, directory)
    change(container)
    container.write_config()
    stave = container.stave
    with console_socket(directory) as console:
        socket = str(console.path) if container.process.get("terminal") else ""
        command: list[str | Path] = [
            sys.executable,
            INJECTOR,
            stave.root,
            container.id,
            container.bundle,
            socket,
        ]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as injector:
            assert injector.stdin is not None and injector.stdout is not None

            def ask(number: int) -> Any:
                assert injector.stdin is not None and injector.stdout is not None
                print(number, file=injector.stdin, flush=True)
                return json.loads(injector.stdout.readline())

            # The whole works; and it loads what is loaded once.
            assert ask(-1)["error"] == ""
            container.delete("--force")
            # Its container was the injector's child.
            descriptors = ask(0)["descriptors"]
            number = seen = 0
            while answer := ask(number):
                name = f"{number}: {answer['replaced']}"
                if answer["error"]:
                    seen += 1
                else:
                    # What comes after `wait_for_start` is for `start` to find out.
                    assert number > 30, name
                    container.delete("--force")
                assert answer["descriptors"] == descriptors, name
                host_unchanged_but(host_unchanged, injector.pid, name)
                number += 1
            injector.stdin.close()
            assert injector.wait(60) == 0
    assert seen > 50


def host_unchanged_but(check: Callable[..., None], pid: int, what: str) -> None:
    """Everything is as before, but for a process of the test's own; `what` failed otherwise."""
    try:
        check(pid)
    except AssertionError as error:
        raise AssertionError(what) from error


@pytest.mark.parametrize("what", ["pid file", "trace", "console", "log"])
def test_outside_the_program(container: Container, directory: Path, what: str) -> None:
    """What fails around the operations leaves nothing either."""
    words: list[str | Path] = ["create", "--bundle", container.bundle]
    options: list[str | Path] = []
    if what == "pid file":
        words += ["--pid-file", directory / "no/pid"]
    elif what == "trace":
        options += ["--trace", directory / "no/trace"]
    elif what == "log":
        options += ["--log", directory / "no/log"]
    else:
        container.process["terminal"] = True
        words += ["--console-socket", directory / "nobody"]
    container.write_config()
    outcome = container.stave(*options, *words, container.id, status=None)
    if outcome.status == 0:  # a log that cannot be written is no reason to fail
        assert what == "log"
        container.delete("--force")
    assert "No such file or directory" in outcome.errors


def test_trace_of_exec(container: Container, directory: Path) -> None:
    """A trace that cannot be written fails `exec`, and the process with it."""
    container.launch()
    words: list[str | Path] = [
        "--trace",
        directory / "no/trace",
        "exec",
        "--detach",
        container.id,
        "sleep",
        "1000",
    ]
    line = container.stave.fails(*words, status=255)
    assert line.endswith(f"write trace {directory}/no/trace: No such file or directory")
    assert json.loads(container.stave("ps", "--format", "json", container.id).output) == [container.pid]


def test_full_disk(container: Container) -> None:
    """A state that cannot be written fails `create` with the file's name, wherever the space ends; nothing is left."""
    root = container.stave.root
    root.mkdir()
    with mounted(root, "-t", "tmpfs", "-o", f"size={16 * mmap.PAGESIZE}", "none"):
        failures = 0
        for pages in range(16, 10, -1):
            (root / "other").write_bytes(bytes(pages * mmap.PAGESIZE))
            outcome = container.create(status=None)
            if outcome.status:
                failures += 1
                assert f"write {root}/{container.id}/" in outcome.errors
                assert outcome.errors.endswith(": No space left on device")
                assert "linux.namespaces" not in outcome.errors
            else:
                container.delete("--force")
            assert os.listdir(root) == ["other"]
            (root / "other").unlink()
        assert failures > 1
