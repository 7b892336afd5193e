"""Each command calls its part of the lifecycle with what the command line says, and prints the answer."""

from __future__ import annotations

import json
import posix
from pathlib import Path

import pytest

from stave.cli.main import execute
from stave.container.caller import CreateOptions

from .conftest import Lifecycle

CONTAINER = {
    "ociVersion": "1.3.0",
    "id": "web",
    "pid": 20300,
    "status": "running",
    "bundle": "/bundles/web",
    "rootfs": "/bundles/web/rootfs",
    "created": "2026-11-24T04:09:41.300414404Z",
    "annotations": {},
    "owner": "root",
}


@pytest.mark.parametrize("command", ["create", "run"])
def test_create_and_run(lifecycle: Lifecycle, tmp_path: Path, command: str) -> None:
    """The creation flags are handed on; the bundle is absolute and without links."""
    calls = lifecycle(command, **{command: 0})
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (tmp_path / "link").symlink_to(bundle)
    words = ["--bundle", f"{tmp_path}/link/../link", "--no-pivot", "--preserve-fds", "3", "--pid-file", "pid"]
    words += ["--config", "other.json"]
    assert execute(["--root", "/r", command, *words, "web"]) == 0
    ((arguments, named),) = calls
    assert arguments[:2] == ("/r", "web")
    handed = {name: getattr(arguments[2], name) for name in CreateOptions.__slots__}
    assert callable(handed.pop("log_warning"))
    assert handed == {
        "bundle": str(bundle.resolve()),
        "pid_file": f"{Path.cwd()}/pid",
        "console_socket": None,
        "no_pivot": True,
        "no_new_keyring": False,
        "preserve_fds": 3,
        "trace": None,
        "streams": (0, 1, 2),
        "cgroup_manager": "cgroupfs",
        "pidfd_socket": None,
        "listen_fds": 0,
        "notify_socket": "",
        "config": f"{Path.cwd()}/other.json",
    }
    own = {"detach": False, "keep": False, "no_subreaper": False}
    assert named == (own if command == "run" else {})


def test_run_flags(lifecycle: Lifecycle, tmp_path: Path) -> None:
    """`run` has flags of its own, in go-runc's spelling too."""
    calls = lifecycle("run", run=0)
    assert execute(["run", "-d", "--keep", "-no-subreaper", "-b", str(tmp_path), "web"]) == 0
    assert {name: calls[0][1][name] for name in ("detach", "keep", "no_subreaper")} == {
        "detach": True,
        "keep": True,
        "no_subreaper": True,
    }


def test_missing_bundle(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """A bundle that is not there is named."""
    calls = lifecycle("create", create=None)
    assert execute(["create", "-b", "/none", "web"]) == 1
    assert capfd.readouterr().err == "stave: create web: open bundle /none: No such file or directory\n"
    assert calls == []


def test_start(lifecycle: Lifecycle) -> None:
    """The container is started; warnings go to the log."""
    calls = lifecycle("start", start=None)
    assert execute(["--root", "/r", "start", "web"]) == 0
    ((arguments, named),) = calls
    assert (arguments[:2], named) == (("/r", "web"), {})
    assert callable(arguments[2])


@pytest.mark.parametrize(
    ("words", "module", "function", "expected"),
    [
        (["kill", "web"], "kill", "kill", ("/r", "web", 15, False)),
        (["kill", "--all", "web", "9"], "kill", "kill", ("/r", "web", 9, True)),
        (["kill", "web", "HUP", "-a"], "kill", "kill", ("/r", "web", 1, True)),
    ],
)
def test_kill(
    lifecycle: Lifecycle, words: list[str], module: str, function: str, expected: tuple[object, ...]
) -> None:
    """The command is its function, called with the container."""
    calls = lifecycle(module, **{function: None})
    assert execute(["--root", "/r", *words]) == 0
    assert calls == [(expected, {})]


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume(lifecycle: Lifecycle, command: str) -> None:
    """Each of the pair is its own function."""
    other = {"pause": "resume", "resume": "pause"}[command]
    calls = lifecycle("pause", **{command: None, other: AssertionError(f"{other} was called")})
    assert execute(["--root", "/r", command, "web"]) == 0
    assert calls == [(("/r", "web"), {})]


@pytest.mark.parametrize(("flags", "force"), [([], False), (["--force"], True)])
def test_delete(lifecycle: Lifecycle, flags: list[str], force: bool) -> None:
    """The container is deleted, by force if asked for."""
    calls = lifecycle("delete", delete=None)
    assert execute(["--root", "/r", "delete", *flags, "web"]) == 0
    ((root, container_id, forced, log_warning), _) = calls[0]
    assert (root, container_id, forced) == ("/r", "web", force)
    assert callable(log_warning)


def test_state(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """The state is printed as indented JSON."""
    lifecycle("state", describe={"id": "web", "pid": 1})
    assert execute(["state", "web"]) == 0
    assert capfd.readouterr().out == '{\n  "id": "web",\n  "pid": 1\n}\n'


def test_list_as_table(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """The table has runc's columns and widths."""
    lifecycle("state", list_all=[CONTAINER])
    assert execute(["list"]) == 0
    assert capfd.readouterr().out == (
        "ID          PID         STATUS      BUNDLE         CREATED                          OWNER\n"
        "web         20300       running     /bundles/web   2026-11-24T04:09:41.300414404Z   root\n"
    )


def test_list_without_containers(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """An empty table is its header, an empty list is [], and no ids are nothing."""
    lifecycle("state", list_all=[])
    assert execute(["list"]) == 0
    header = "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
    assert capfd.readouterr().out == header
    assert execute(["list", "--format=json"]) == 0
    assert capfd.readouterr().out == "[]\n"
    assert execute(["list", "-q"]) == 0
    assert capfd.readouterr().out == ""


def test_list_in_other_forms(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """JSON holds the whole records, --quiet the ids alone."""
    lifecycle("state", list_all=[CONTAINER, {**CONTAINER, "id": "db"}])
    assert execute(["list", "-f", "json"]) == 0
    assert [record["id"] for record in json.loads(capfd.readouterr().out)] == ["web", "db"]
    assert execute(["list", "--quiet"]) == 0
    assert capfd.readouterr().out == "web\ndb\n"


def test_ps_in_json(lifecycle: Lifecycle, capfd: pytest.CaptureFixture[str]) -> None:
    """In JSON, ps prints the pids."""
    lifecycle("state", processes=[20300, 20301])
    assert execute(["ps", "-f", "json", "web"]) == 0
    assert capfd.readouterr().out == "[20300,20301]\n"


@pytest.mark.parametrize("command", ["create", "run"])
def test_systemd_cgroup(lifecycle: Lifecycle, command: str) -> None:
    """--systemd-cgroup and --cgroup-manager are for the container that is made."""
    calls = lifecycle(command, **{command: 0})
    assert execute(["--systemd-cgroup", command, "web"]) == 0
    ((arguments, _),) = calls
    assert arguments[2].cgroup_manager == "systemd"


def test_sockets_of_a_service_manager(lifecycle: Lifecycle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are for this very process go to the container, and word of its readiness to the manager."""
    monkeypatch.setitem(posix.environ, b"LISTEN_FDS", b"2")
    monkeypatch.setitem(posix.environ, b"LISTEN_PID", str(posix.getpid()).encode())
    monkeypatch.setitem(posix.environ, b"NOTIFY_SOCKET", b"/run/systemd/notify")
    calls = lifecycle("create", create=0)
    assert execute(["create", "--pidfd-socket", "/pidfd", "web"]) == 0
    options = calls[0][0][2]
    assert (options.listen_fds, options.passed_fds) == (2, 2)
    assert (options.notify_socket, options.pidfd_socket) == ("/run/systemd/notify", "/pidfd")
    monkeypatch.setitem(posix.environ, b"LISTEN_PID", b"1")
    assert execute(["create", "--preserve-fds", "1", "web"]) == 0
    assert calls[1][0][2].passed_fds == 1
