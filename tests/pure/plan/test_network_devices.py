"""Network devices that the container gets from the host."""

from __future__ import annotations

import pytest

from stave.errors import ConfigError
from stave.host.facts import Facts

from .planning import MAPPINGS, V2, create, found, in_order, make_config, names

DEVICES = {"netDevices": {"eth0": {}, "eth1": {"name": "net%d"}, "a~b": {"name": ""}}}


@pytest.mark.parametrize("namespaces", ["mount network", "mount network=/ns", "mount network user"])
def test_move(namespaces: str) -> None:
    """The runtime moves them when the namespaces are entered, and before anything is mounted or hooks run."""
    linux = DEVICES | (MAPPINGS if "user" in namespaces else {})
    plan = create(make_config(namespaces, linux, hooks={"createRuntime": [{"path": "/h"}]}))
    assert found(plan, "move_network_device") == [("eth0", "eth0"), ("eth1", "net%d"), ("a~b", "a~b")]
    last = "setns" if "=" in namespaces else "unshare" if "user" in namespaces else "clone"
    assert in_order(plan, last, "wait_for_runtime", "move_network_device", "open_root", "run_runtime_hook")
    pointers = [each.pointer for each in plan.program if each.name == "move_network_device"]
    assert pointers[2] == "/linux/netDevices/a~0b"


def test_none() -> None:
    """An empty object asks for nothing."""
    assert names(create(make_config("mount network", {"netDevices": {}}))) == names(
        create(make_config("mount network"))
    )


def test_without_roots_power() -> None:
    """The host's devices are root's."""
    with pytest.raises(ConfigError, match=r"^linux\.netDevices: .* root's power"):
        create(make_config("mount network", DEVICES), facts=Facts(V2, rootless=True))
