"""Devices: those that are configured, those that are always there, and the rules on their use."""

from __future__ import annotations

import os
from typing import Any

import pytest

from ociconformance import machine
from ociconformance.container import Container
from ociconformance.testing import case, covers

DEFAULTS = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}


def device(
    type: str, path: str, major: int | None = 240, minor: int | None = 7, **more: Any
) -> dict[str, Any]:
    """An entry of devices. The default numbers are free for local use, and nobody's."""
    numbers = {} if major is None else {"major": major, "minor": minor}
    return {"type": type, "path": path, **numbers, **more}


@pytest.mark.parametrize("name", [case(name, covers=f"linux/default-devices/{name}") for name in DEFAULTS])
def test_default_devices(container: Container, name: str) -> None:
    """The device is there, and everybody may use it."""
    said = container.says(f"stat -c '%F %t:%T %a' /dev/{name}").split()
    assert said == ["character", "special", "file", DEFAULTS[name], "666"]


@covers("linux/default-devices/null", "linux/default-devices/zero", "linux/default-devices/full")
def test_default_devices_work(container: Container) -> None:
    """The devices do what they are for, also for a user without privileges."""
    container.process["user"] = {"uid": 1000, "gid": 1000}
    container.process["capabilities"] = {}
    said = container.says(
        "cat /dev/null; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; { echo x > /dev/full; } 2>&1 || :"
    )
    assert said.startswith("3\n3\n") and "No space left on device" in said


@covers("linux/default-devices/null")
def test_default_devices_in_a_user_namespace(container: Container) -> None:
    """In a user namespace, where no node can be made, they are there as well."""
    container.user_namespace()
    assert container.says("stat -c %t:%T /dev/null; cat /dev/null; head -c 2 /dev/zero | wc -c") == "1:3\n2"


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        (device("c", "/dev/one"), "character special file f0:7"),
        (device("b", "/dev/two"), "block special file f0:7"),
        (device("u", "/dev/three"), "character special file f0:7"),
        (device("p", "/dev/four", None), "fifo 0:0"),
        case(
            device("c", "/tmp/deep/five", 240, 300),
            "character special file f0:12c",
            covers="linux/devices/anywhere",
        ),
    ],
    ids=["c", "b", "u", "p", "elsewhere"],
)
@covers("linux/devices/available")
def test_devices(container: Container, entry: dict[str, Any], shown: str) -> None:
    """A configured device is there, with its type and numbers."""
    container.linux["devices"] = [entry]
    assert container.says(f"stat -c '%F %t:%T' {entry['path']}") == shown


@covers("linux/devices/file-mode", "linux/devices/uid", "linux/devices/gid")
@pytest.mark.parametrize(("mode", "uid", "gid"), [(0o640, 5, 6), (0o666, 0, 0), (0o777, 1000, 0)])
def test_owner_and_mode(container: Container, mode: int, uid: int, gid: int) -> None:
    """A device has the configured mode and owner, whatever the umask."""
    container.linux["devices"] = [
        device("c", "/dev/one", fileMode=mode, uid=uid, gid=gid),
        device("p", "/dev/two", None, fileMode=mode, uid=uid, gid=gid),
    ]
    container.script("stat -c '%a %u %g' /dev/one /dev/two")
    outcome = container.try_create(umask=0o77)
    assert outcome.status == 0, str(outcome)
    container.start().wait()
    assert container.output == "\n".join([f"{mode:o} {uid} {gid}"] * 2)


@covers("linux/devices/exists")
@pytest.mark.parametrize("kind", ["a file", "another device", "a directory"])
def test_another_file_is_there(container: Container, kind: str) -> None:
    """A file at the device's path that isn't this device is an error."""
    path = container.rootfs / "tmp" / "device"
    if kind == "a file":
        path.write_text("")
    elif kind == "a directory":
        path.mkdir()
    else:
        os.mknod(path, 0o20666, os.makedev(1, 3))
    container.linux["devices"] = [device("c", "/tmp/device")]
    container.refused()


@covers("linux/devices/exists")
def test_the_device_is_there(container: Container) -> None:
    """The device itself may be there already."""
    os.mknod(container.rootfs / "tmp" / "device", 0o20666, os.makedev(240, 7))
    container.linux["devices"] = [device("c", "/tmp/device")]
    assert container.says("stat -c %t:%T /tmp/device") == "f0:7"


@covers("config/valid-values/error")
def test_unknown_type(container: Container) -> None:
    """A type that there is not is an error."""
    container.linux["devices"] = [device("x", "/dev/one")]
    container.refused()


ANY = "/dev/c-7 /dev/c-8 /dev/b-7"


def access(container: Container, *rules: dict[str, Any]) -> dict[str, str]:
    """What the program may do with three devices that no driver is for, under these rules: "", "r", "w" or "rw".

    If the rules allow a device, opening it fails in another way than if they don't.
    """
    nodes = {"c-7": ("c", 7), "c-8": ("c", 8), "b-7": ("b", 7)}
    container.linux["devices"] = [
        device(type, f"/dev/{name}", 240, minor) for name, (type, minor) in nodes.items()
    ]
    container.resources(devices=list(rules))
    said = container.says(
        f"for each in {ANY}; do r=; w=;"
        " { : < $each; } 2>&1 | grep -q 'not permitted' || r=r;"
        " { : > $each; } 2>&1 | grep -q 'not permitted' || w=w;"
        " echo $each $r$w; done"
    )
    return {line.split()[0].removeprefix("/dev/"): "".join(line.split()[1:]) for line in said.splitlines()}


def rule(allow: bool, access: str = "rwm", **more: Any) -> dict[str, Any]:
    """An entry of resources.devices."""
    return {"allow": allow, "access": access, **more}


NOTHING = rule(False)


@covers("linux/resources/devices")
@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ([NOTHING], {}),
        ([rule(True)], {"c-7": "rw", "c-8": "rw", "b-7": "rw"}),
        ([NOTHING, rule(True, "rwm", type="c", major=240, minor=7)], {"c-7": "rw"}),
        case(
            [NOTHING, rule(True, "r", type="c", major=240, minor=7)],
            {"c-7": "r"},
            covers="linux/resources/devices/access",
        ),
        case(
            [NOTHING, rule(True, "w", type="b", major=240, minor=7)],
            {"b-7": "w"},
            covers="linux/resources/devices/access",
        ),
        case(
            [NOTHING, rule(True, "rw", type="c", major=240)],
            {"c-7": "rw", "c-8": "rw"},
            covers="linux/resources/devices/numbers",
        ),
        case(
            [NOTHING, rule(True, "rw", type="c", minor=8)],
            {"c-8": "rw"},
            covers="linux/resources/devices/numbers",
        ),
        case(
            [NOTHING, rule(True, "rw", type="b")],
            {"b-7": "rw"},
            covers="linux/resources/devices/numbers",
        ),
        case(
            [NOTHING, rule(True, "rw", type="a")],
            {"c-7": "rw", "c-8": "rw", "b-7": "rw"},
            covers="linux/resources/devices/type",
        ),
        case([rule(True), NOTHING], {}, covers="linux/resources/devices/order"),
        case(
            [NOTHING, rule(True, "rw", type="c", major=240), rule(False, "rw", type="c", major=240, minor=8)],
            {"c-7": "rw"},
            covers="linux/resources/devices/order",
        ),
        case(
            [NOTHING, rule(True, "rw", type="c", major=240, minor=8), rule(False, "w", type="c", major=240, minor=8)],
            {"c-8": "r"},
            covers="linux/resources/devices/order",
        ),
    ],
    ids=[
        "nothing", "everything", "one", "read", "write", "no-minor", "no-major", "no-numbers", "all", "order", "order-2",
        "order-3",
    ],
)  # fmt: skip
def test_rules(
    container: Container, rules: list[dict[str, Any]], allowed: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The program may use what the last rule for a device allows, and nothing else."""
    if request.node.callspec.id == "order-2" and not machine.V2:
        # Version 1 can't except a part of what another rule allows: it is to be refused then.
        container.resources(devices=rules)
        if container.try_create().status != 0:
            return
        container = request.getfixturevalue("new_container")()
    assert {name: may for name, may in access(container, *rules).items() if may} == allowed


@covers("linux/resources/devices", "linux/default-devices/null")
def test_default_devices_under_rules(container: Container) -> None:
    """The default devices can be used although the rules forbid everything else."""
    container.resources(devices=[NOTHING])
    assert (
        container.says("echo x > /dev/null; head -c 2 /dev/zero | wc -c; head -c 2 /dev/urandom | wc -c")
        == "2\n2"
    )


@covers("linux/resources/devices/allow")
def test_rule_without_allow(container: Container) -> None:
    """A rule without allow is refused."""
    container.resources(devices=[{"access": "rwm"}])
    container.refused()


@covers("config/valid-values/error")
@pytest.mark.parametrize("change", [{"access": "rx"}, {"type": "x"}])
def test_invalid_rules(container: Container, change: dict[str, Any]) -> None:
    """A rule of a kind that there is not is an error."""
    container.resources(devices=[{**NOTHING, **change}])
    container.refused()
