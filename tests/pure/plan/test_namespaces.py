"""Namespaces: which calls make and enter them, and in which order."""

from __future__ import annotations

import pytest

from stave.errors import ConfigError
from stave.host.facts import Facts
from stave.plan import constants as c
from stave.plan.namespaces import NAMESPACES

from .planning import MAPPINGS, V2, create, found, in_order, make_config, names, one

SIMPLE = ["mount", "pid", "network", "ipc", "uts"]
FLAGS = {kind: flag for kind, (flag, _) in NAMESPACES.items()}


def until_open_root(words: list[str]) -> list[str]:
    """The operations that make and enter namespaces."""
    return words[: words.index("set_propagation" if "set_propagation" in words else "open_root")]


@pytest.mark.parametrize("kind", SIMPLE)
def test_new(kind: str) -> None:
    """A new namespace alone is made by clone."""
    plan = create(make_config(kind))
    assert one(plan, "clone") == (FLAGS[kind],)
    assert plan.namespaces == FLAGS[kind]
    assert not {"unshare", "setns", "fork", "become_root"} & set(names(plan))


def test_all_at_once() -> None:
    """Without a user or time namespace one clone makes them all but the cgroup namespace."""
    plan = create(make_config(" ".join([*SIMPLE, "cgroup"])))
    expected = c.CLONE_NEWNS | c.CLONE_NEWPID | c.CLONE_NEWNET | c.CLONE_NEWIPC | c.CLONE_NEWUTS
    assert one(plan, "clone") == (expected,)
    assert one(plan, "unshare") == (c.CLONE_NEWCGROUP,)
    assert plan.namespaces == expected | c.CLONE_NEWCGROUP
    steps = ["make_cgroup", "clone", "join_cgroup", "set_dumpable", "raise_loopback", "unshare"]
    assert until_open_root(names(plan)) == steps


@pytest.mark.parametrize("kind", ["mount", "network", "ipc", "uts", "cgroup"])
def test_joined(kind: str) -> None:
    """An existing namespace is opened on the host before clone and entered by descriptor."""
    plan = create(make_config(f"{kind}=/run/ns/x"))
    name = f"ns/{NAMESPACES[kind][1]}"
    assert one(plan, "open_namespace") == (name, "/run/ns/x", FLAGS[kind])
    assert one(plan, "clone") == (0,)
    assert one(plan, "setns") == (name, FLAGS[kind])
    assert in_order(plan, "open_namespace", "clone", "set_dumpable", "setns", "open_root")
    assert "fork" not in names(plan)
    assert plan.namespaces == FLAGS[kind]


def test_new_and_joined() -> None:
    """What is new comes from clone, what exists is joined by the new process."""
    plan = create(make_config("pid network=/run/netns/a uts ipc=/proc/7/ns/ipc"))
    assert one(plan, "clone") == (c.CLONE_NEWPID | c.CLONE_NEWUTS,)
    assert found(plan, "setns") == [("ns/net", c.CLONE_NEWNET), ("ns/ipc", c.CLONE_NEWIPC)]


@pytest.mark.parametrize(
    ("kinds", "unshared"),
    [("pid=/proc/7/ns/pid", None), ("time=/proc/7/ns/time", None), ("time", c.CLONE_NEWTIME)],
)
def test_only_a_child_is_inside(kinds: str, unshared: int | None) -> None:
    """A joined pid or time namespace and a new time namespace take a fork."""
    plan = create(make_config(kinds))
    assert one(plan, "clone") == (0,)
    assert found(plan, "unshare") == ([(unshared,)] if unshared else [])
    assert until_open_root(names(plan))[-1] == "fork"


def test_a_joined_pid_namespace_with_new_ones() -> None:
    """The others are then made by unshare, after the join."""
    plan = create(make_config("pid=/proc/7/ns/pid mount uts cgroup"))
    assert one(plan, "clone") == (0,)
    assert found(plan, "unshare") == [(c.CLONE_NEWNS | c.CLONE_NEWUTS,), (c.CLONE_NEWCGROUP,)]
    steps = ["set_dumpable", "setns", "unshare", "fork", "unshare"]
    assert until_open_root(names(plan))[-5:] == steps


def test_new_user_namespace() -> None:
    """Its maps are written by the runtime, gid first; then the process is root and makes the others."""
    plan = create(make_config("user mount pid network cgroup", MAPPINGS))
    assert until_open_root(names(plan)) == [
        "make_cgroup", "clone", "join_cgroup", "unshare", "wait_for_runtime", "write_id_map", "write_id_map",
        "set_dumpable", "become_root", "unshare", "fork", "raise_loopback", "unshare",
    ]  # fmt: skip
    assert one(plan, "clone") == (0,)
    assert found(plan, "unshare") == [
        (c.CLONE_NEWUSER,),
        (c.CLONE_NEWNS | c.CLONE_NEWPID | c.CLONE_NEWNET,),
        (c.CLONE_NEWCGROUP,),
    ]
    assert found(plan, "write_id_map") == [
        ("gid_map", "0 2000 1\n1 6000 9\n"),
        ("uid_map", "0 1000 1\n1 5000 9\n"),
    ]


def test_new_user_namespace_and_joined_ones() -> None:
    """Namespaces of the host are joined while the privileges over them last."""
    plan = create(make_config("network=/run/netns/a user mount", MAPPINGS))
    assert in_order(plan, "clone", "setns", "unshare", "wait_for_runtime", "become_root", "unshare")
    assert found(plan, "unshare")[0] == (c.CLONE_NEWUSER,)
    assert "fork" not in names(plan)


def test_joined_user_namespace() -> None:
    """It is joined first, as it gives the rights over the others; no maps are written."""
    plan = create(make_config("network=/proc/7/ns/net user=/proc/7/ns/user mount"))
    assert found(plan, "setns") == [("ns/user", c.CLONE_NEWUSER), ("ns/net", c.CLONE_NEWNET)]
    assert "write_id_map" not in names(plan)
    steps = ["set_dumpable", "setns", "setns", "become_root", "unshare"]
    assert until_open_root(names(plan))[-5:] == steps


def test_mappings_of_a_joined_user_namespace() -> None:
    """Maps that exist are not written again."""
    assert "write_id_map" not in names(create(make_config("user=/proc/7/ns/user", MAPPINGS)))


@pytest.mark.parametrize("missing", ["uidMappings", "gidMappings"])
def test_user_namespace_without_maps(missing: str) -> None:
    """A new user namespace without a map is refused by the map's name: nobody could be root in it."""
    maps = {key: value for key, value in MAPPINGS.items() if key != missing}
    with pytest.raises(ConfigError, match=rf"linux\.{missing}: a new user namespace"):
        create(make_config("user", maps))


@pytest.mark.parametrize(
    ("euid", "size", "written"),
    [
        (0, 1, ["gid_map", "uid_map"]),
        (1000, 1, ["setgroups", "gid_map", "uid_map"]),
        (1000, 65536, []),
        (0, 65536, ["gid_map", "uid_map"]),
    ],
)
def test_setgroups(euid: int, size: int, written: list[str]) -> None:
    """Only a user who maps just the own group gives up setgroups, before gid_map is written."""
    line = {"containerID": 0, "hostID": 1000, "size": size}
    config = make_config("user", {"uidMappings": [line], "gidMappings": [line]})
    machine = Facts(V2, euid=euid, egid=euid, rootless=euid != 0, id_mappers=("/newuidmap", "/newgidmap"))
    plan = create(config, machine)
    assert [file for file, _ in found(plan, "write_id_map")] == written
    denied = "setgroups" in written
    assert (one(plan, "set_user")[2] is None) == denied


def test_groups_of_a_joined_user_namespace() -> None:
    """One that was made with the same maps has given up setgroups as well."""
    line = {"containerID": 0, "hostID": 1000, "size": 1}
    config = make_config("user=/proc/7/ns/user", {"uidMappings": [line], "gidMappings": [line]})
    assert one(create(config, Facts(V2, euid=1000, egid=1000, rootless=True)), "set_user")[2] is None


def test_groups_where_setgroups_is_denied() -> None:
    """Additional groups are refused there, rather than left out."""
    line = {"containerID": 0, "hostID": 1000, "size": 1}
    config = make_config("user", {"uidMappings": [line], "gidMappings": [line]})
    config["process"]["user"]["additionalGids"] = [5]
    with pytest.raises(ConfigError, match=r"process\.user\.additionalGids"):
        create(config, Facts(V2, euid=1000, egid=1000, rootless=True))


def test_time_offsets() -> None:
    """They are written between the making of the time namespace and the fork that enters it."""
    offsets = {"monotonic": {"secs": 7, "nanosecs": 5}, "boottime": {"secs": -3}}
    plan = create(make_config("time mount", {"timeOffsets": offsets}))
    assert one(plan, "write_time_offsets") == ("monotonic 7 5\nboottime -3 0\n",)
    assert in_order(plan, "unshare", "write_time_offsets", "fork")
    assert found(plan, "set_dumpable") == [(0,)]


def test_time_offsets_in_a_new_user_namespace() -> None:
    """Its root may write them only as long as the process is dumpable."""
    plan = create(make_config("user time mount", {"timeOffsets": {"boottime": {"secs": 1}}, **MAPPINGS}))
    assert found(plan, "set_dumpable") == [(0,), (1,), (0,)]
    assert in_order(plan, "become_root", "set_dumpable", "write_time_offsets", "set_dumpable", "fork")


def test_none() -> None:
    """Without linux.namespaces everything is shared, and stave-init is started all the same."""
    config = make_config("")
    del config["linux"]
    plan = create(config)
    assert plan.namespaces == 0
    assert one(plan, "clone") == (0,)
    assert not {"unshare", "setns", "fork", "set_propagation", "pivot_root"} & set(names(plan))


def test_an_empty_path() -> None:
    """It means a new namespace, as if there were no path."""
    config = make_config("")
    config["linux"]["namespaces"] = [{"type": "uts", "path": ""}]
    assert one(create(config), "clone") == (c.CLONE_NEWUTS,)


def test_pointers() -> None:
    """Each step names the namespace that it is for."""
    plan = create(make_config("uts network=/run/netns/a"))
    pointers = {operation.name: operation.pointer for operation in plan.program}
    assert pointers["open_namespace"] == pointers["setns"] == "/linux/namespaces/1/path"


def test_what_the_runtime_does_to_the_new_process() -> None:
    """It gets its oom score and joins its cgroups before it runs; the cgroup namespace comes after."""
    config = make_config("cgroup mount")
    config["process"]["oomScoreAdj"] = -500
    plan = create(config)
    assert in_order(
        plan, "make_cgroup", "clone", "set_oom_score_adj", "join_cgroup", "set_dumpable", "unshare"
    )
    assert one(plan, "set_oom_score_adj") == (-500,)
