"""The operations, the order of a container's life, and what is an error."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from ociconformance import isolation, machine
from ociconformance.bundle import bind, mount
from ociconformance.container import Container, eventually, fails
from ociconformance.plugin import NewContainer
from ociconformance.runtime import Runtime
from ociconformance.testing import covers


def cgroups(container: Container) -> list[Path]:
    """The cgroups of the container's path that there are."""
    found = [top / container.linux["cgroupsPath"].lstrip("/") for top in machine.hierarchies()]
    return [path for path in found if path.exists()]


@covers(
    "runtime/operations", "runtime/lifecycle/program-runs", "runtime/start/runs", "runtime/lifecycle/exits"
)
def test_life(container: Container) -> None:
    """A container is created, started, ends by itself with its own status, and is deleted."""
    container.script("echo hello; exit 7")
    assert container.run() == 7
    assert container.output == "hello"
    container.delete()


@covers("runtime/lifecycle/exits")
def test_crash(container: Container) -> None:
    """A program that kills itself leaves a stopped container."""
    container.script("kill -SEGV $$ ; ulimit -c 0; sh -c 'kill -9 $PPID'; exit 3")
    container.run()
    assert container.state()["status"] == "stopped"


@covers("runtime/lifecycle/program-waits", "runtime/create/args")
def test_the_program_waits(container: Container) -> None:
    """The program has not run when `create` is done, and runs at `start`."""
    container.script("touch /tmp/ran")
    container.create()
    # Time enough for a program that doesn't wait.
    with pytest.raises(AssertionError):
        eventually((container.rootfs / "tmp" / "ran").exists, "", seconds=0.2)
    container.start().wait()
    assert (container.rootfs / "tmp" / "ran").exists()


@covers("runtime/lifecycle/environment", "runtime/create/applied", "runtime/create/creates")
def test_the_environment_is_there(container: Container) -> None:
    """A created container has its namespaces, mounts, host name and cgroup already."""
    container.config["hostname"] = "early"
    container.mount(mount("/tmp", "size=1m", type="tmpfs", source="early-tmpfs"))
    container.create()
    for name in ("pid", "net", "ipc", "uts", "mnt"):
        assert os.readlink(f"/proc/{container.pid}/ns/{name}") != os.readlink(f"/proc/self/ns/{name}"), name
    mounts = Path(f"/proc/{container.pid}/mountinfo").read_text()
    assert "early-tmpfs" in mounts
    assert "oci-conformance" in Path(f"/proc/{container.pid}/cgroup").read_text()
    # The host name is told by a process in the namespace.
    child = os.fork()
    if not child:
        isolation.setns(f"/proc/{container.pid}/ns/uts")
        os._exit(0 if os.uname().nodename == "early" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@covers("runtime/lifecycle/environment-error", "runtime/create/not-applicable", "runtime/errors/nothing-left")
def test_an_environment_that_cannot_be_made(container: Container) -> None:
    """A mount that is impossible makes `create` fail, and leaves no container, mount, process or cgroup."""
    mounts = isolation.mount_points()
    container.mount(mount("/tmp", type="no-such-file-system"))
    container.refused()
    assert isolation.mount_points() == mounts
    eventually(lambda: not cgroups(container), f"no cgroup is left: {cgroups(container)}")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    container.config["mounts"].pop()
    assert container.says("echo again") == "again"


@covers("runtime/lifecycle/config-copied")
def test_a_changed_configuration(container: Container) -> None:
    """A config.json that is replaced or removed after `create` changes nothing."""
    container.script("echo first")
    container.create()
    container.script("echo second")
    container.write()
    container.start().wait()
    assert container.output == "first"
    (container.bundle / "config.json").unlink()
    assert container.state()["status"] == "stopped"
    container.delete()


@covers("runtime/create/no-id")
def test_create_without_an_id(container: Container, runtime: Runtime) -> None:
    """`create` without an ID fails."""
    container.write()
    fails(runtime("create", "--bundle", container.bundle))


@covers("runtime/create/no-bundle", "bundle/config/present", "bundle/config/root", "bundle/config/name")
@pytest.mark.parametrize("where", ["nowhere", "an empty directory", "deeper", "another name"])
def test_create_without_a_bundle(container: Container, runtime: Runtime, where: str) -> None:
    """`create` fails where there is no config.json at the top of the bundle."""
    container.write()
    bundle = container.bundle
    if where == "nowhere":
        bundle = container.bundle / "missing"
    elif where == "an empty directory":
        (bundle / "config.json").unlink()
    elif where == "deeper":
        (bundle / "deeper").mkdir()
        shutil.move(bundle / "config.json", bundle / "deeper" / "config.json")
    else:
        shutil.move(bundle / "config.json", bundle / "configuration.json")
    fails(runtime("create", "--bundle", bundle, container.id))
    assert not container.exists()


@covers("runtime/create/id-in-use", "runtime/state/id-unique")
def test_an_id_in_use(new_container: NewContainer) -> None:
    """A second `create` with an ID fails, and the container that has it goes on."""
    first = new_container().sleeps()
    second = new_container(first.id)
    fails(second.try_create())
    assert first.alive() and first.state()["pid"] == first.pid
    assert first.state()["bundle"] == str(first.bundle)
    first.kill().wait()
    fails(second.try_create())
    first.delete()


@covers("runtime/create/id-invalid")
@pytest.mark.parametrize("id", ["", "..", "../escape"])
def test_an_invalid_id(new_container: NewContainer, id: str) -> None:
    """An ID that leads out of the runtime's directory, or is empty, is refused."""
    container = new_container()
    container.id = id
    fails(container.try_create())


@covers("runtime/start/no-id")
def test_start_without_an_id(runtime: Runtime) -> None:
    """`start` without an ID fails."""
    fails(runtime("start"))


@covers("runtime/start/not-created", "runtime/start/not-created-no-effect")
@pytest.mark.parametrize("status", ["unknown", "running", "stopped"])
def test_start_of_what_is_not_created(container: Container, status: str) -> None:
    """`start` fails for a container that is not created, and runs nothing."""
    if status == "unknown":
        fails(container.try_start())
        return
    container.script("echo once; exec sleep 1000")
    container.create().start()
    eventually(lambda: container.output, "the program runs")
    if status == "stopped":
        container.kill().wait()
    fails(container.try_start())
    assert container.state()["status"] == status
    assert container.output == "once"
    assert container.alive() == (status == "running")


@covers("runtime/start/no-process", "config/process/present")
def test_start_without_a_process(container: Container) -> None:
    """Without `process` there is an error by `start` at the latest, and nothing runs."""
    del container.config["process"]
    outcome = container.try_create()
    if outcome.status == 0:
        fails(container.try_start())


@covers("runtime/kill/no-id")
def test_kill_without_an_id(runtime: Runtime) -> None:
    """`kill` without an ID fails."""
    fails(runtime("kill"))


@covers("runtime/kill/stopped", "runtime/kill/stopped-no-effect")
def test_kill_of_a_stopped_container(container: Container) -> None:
    """`kill` fails for a container that has ended, or that there is not, and changes nothing."""
    fails(container.try_kill("KILL"))
    container.run()
    before = container.state()
    fails(container.try_kill("KILL"))
    assert container.state() == before


@covers("runtime/kill/sends", "runtime/lifecycle/exits")
@pytest.mark.parametrize("name", ["TERM", "SIGUSR1", "12", "HUP", "KILL"])
def test_signals(container: Container, name: str) -> None:
    """The container's process gets exactly the signal that was named, by name or by number."""
    traps = {"TERM": 1, "USR1": 2, "USR2": 3, "HUP": 4}
    lines = "; ".join(f"trap 'exit {status}' {trap}" for trap, status in traps.items())
    container.script(f"{lines}; echo ready; while :; do usleep 10000; done")
    container.create().start()
    eventually(lambda: container.output, "the traps are set")
    container.kill(name)
    expected = {"TERM": 1, "SIGUSR1": 2, "12": 3, "HUP": 4, "KILL": -signal.SIGKILL}[name]
    assert container.wait() == expected


@covers("runtime/kill/sends")
def test_kill_of_a_created_container(container: Container) -> None:
    """A created container can be killed; it is stopped then, and its program has never run."""
    container.script("touch /tmp/ran")
    container.create().kill()
    assert container.wait() == -signal.SIGKILL
    assert container.state()["status"] == "stopped"
    container.delete()
    assert not (container.rootfs / "tmp" / "ran").exists()


@covers("runtime/kill/sends")
def test_an_unknown_signal(container: Container) -> None:
    """A signal that there is not is an error, and the container goes on."""
    container.sleeps()
    fails(container.try_kill("NOSUCHSIGNAL"))
    assert container.alive()


@covers("runtime/delete/no-id")
def test_delete_without_an_id(runtime: Runtime) -> None:
    """`delete` without an ID fails."""
    fails(runtime("delete"))


@covers("runtime/delete/not-stopped", "runtime/delete/not-stopped-no-effect")
@pytest.mark.parametrize("status", ["created", "running"])
def test_delete_of_what_is_not_stopped(container: Container, status: str) -> None:
    """`delete` fails for a created and for a running container, which lives on."""
    container.script("exec sleep 1000")
    container.create()
    if status == "running":
        container.start()
    fails(container.try_delete())
    assert container.alive()
    assert container.state()["status"] == status


@covers("runtime/delete/not-stopped")
def test_delete_of_an_unknown_container(container: Container) -> None:
    """`delete` of a container that there is not fails."""
    fails(container.try_delete())


@covers("runtime/delete/resources", "runtime/lifecycle/destroyed", "runtime/delete/id-again")
def test_delete_undoes_create(container: Container) -> None:
    """After `delete` there is no process, mount or cgroup left, and the ID can be used again."""
    mounts = isolation.mount_points()
    for _ in range(2):
        container.says("echo hello")
        container.delete()
        assert not container.exists()
        assert isolation.mount_points() == mounts
        assert cgroups(container) == []
        container.status = None


@covers("runtime/delete/foreign-resources")
def test_what_others_made_stays(container: Container, place: Path, group: str) -> None:
    """`delete` keeps the files that were bound, a namespace that was joined, and the parents of the cgroup."""
    (place / "data").mkdir()
    (place / "data" / "file").write_text("kept")
    container.mount(bind(place / "data", "/tmp"))
    parents = [top / group for top in machine.hierarchies()]
    for parent in parents:
        parent.mkdir(exist_ok=True)
    container.says("cat /tmp/file")
    container.delete()
    assert (place / "data" / "file").read_text() == "kept"
    assert all(parent.is_dir() for parent in parents)
    assert (container.rootfs / "bin" / "busybox").exists() and (container.bundle / "config.json").exists()


@covers("config/extensibility/unknown", "config/annotations/unknown", "runtime/warnings/goes-on")
def test_unknown_properties(container: Container) -> None:
    """Unknown properties and annotations, at every level, change nothing."""
    container.config["org.example.unknown"] = {"a": [1, 2]}
    for part in (container.process, container.linux, container.config["root"], container.config["mounts"][0]):
        part["orgExampleUnknown"] = True
    container.config["annotations"] = {"org.example.unknown": "value"}
    assert container.says("echo hello") == "hello"


@covers("config/version/present", "config/version/semver", "config/valid-values/error")
@pytest.mark.parametrize("version", [None, "", "1", "one.two.three", "1.0", "999.0.0"])
def test_an_invalid_version(container: Container, version: str | None) -> None:
    """A configuration without a version, or with one that is none or far too new, is refused."""
    container.config["ociVersion"] = version
    if version is None:
        del container.config["ociVersion"]
    container.refused()


@covers("config/version/older")
@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.0.2"])
def test_an_older_version(container: Container, version: str) -> None:
    """A configuration of every 1.0 version is accepted."""
    container.config["ociVersion"] = version
    assert container.says("echo hello") == "hello"


@covers("config/valid-values/error")
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"text"'])
def test_no_configuration_at_all(container: Container, runtime: Runtime, text: str) -> None:
    """A config.json that is no JSON object is refused."""
    (container.bundle / "config.json").write_text(text)
    fails(runtime("create", "--bundle", container.bundle, container.id))
    assert not container.exists()


@covers("config/annotations/map", "config/annotations/value-string", "config/annotations/key-empty")
@pytest.mark.parametrize("annotations", [["a"], {"com.example.number": 1}, {"": "empty"}])
def test_invalid_annotations(container: Container, annotations: object) -> None:
    """Annotations that are no map of strings to strings, or have an empty key, are refused."""
    container.config["annotations"] = annotations
    container.refused()


@covers("runtime/create/applied")
def test_pid_file(container: Container) -> None:
    """The file of --pid-file holds the PID that `state` says."""
    container.create()
    assert (container.bundle / "pid").read_text().strip() == str(
        json.loads(container.try_state().output)["pid"]
    )
