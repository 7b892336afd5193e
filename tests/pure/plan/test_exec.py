"""The Program of `exec`."""

from __future__ import annotations

from typing import Any

import pytest

from stave.host.facts import Facts
from stave.plan import constants as c

from .planning import V2, execute, found, in_order, make_config, make_process, names, one

USUAL = c.CLONE_NEWNS | c.CLONE_NEWPID | c.CLONE_NEWNET | c.CLONE_NEWIPC | c.CLONE_NEWUTS | c.CLONE_NEWCGROUP


def test_usual() -> None:
    """All namespaces are joined at once, by a process that is in the cgroups and cannot be looked at."""
    plan = execute(make_process(), USUAL, make_config())
    assert names(plan) == [
        "clone", "join_cgroup", "set_dumpable", "setns", "fork", "new_session", "join_keyring",
        "close_descriptors", "own_stdio", "limit_bounding", "set_user", "change_directory", "find_executable",
        "find_home",
        "raise_ambient", "set_capabilities", "execute",
    ]  # fmt: skip
    assert one(plan, "clone") == (0,)
    assert one(plan, "setns") == ("container", USUAL)
    assert plan.namespaces == USUAL


@pytest.mark.parametrize(
    ("namespaces", "forks"),
    [
        (c.CLONE_NEWNS, False),
        (c.CLONE_NEWNS | c.CLONE_NEWPID, True),
        (c.CLONE_NEWNS | c.CLONE_NEWTIME, True),
        (c.CLONE_NEWNS | c.CLONE_NEWUTS | c.CLONE_NEWCGROUP, False),
    ],
)
def test_fork(namespaces: int, forks: bool) -> None:
    """Only a pid or time namespace takes a fork."""
    assert ("fork" in names(execute(make_process(), namespaces, make_config()))) == forks


def test_user_namespace() -> None:
    """The process is root of the user namespace until it becomes its user; no maps are written."""
    plan = execute(make_process(), USUAL | c.CLONE_NEWUSER, make_config())
    assert in_order(plan, "set_dumpable", "setns", "become_root", "fork", "set_user")
    assert "write_id_map" not in names(plan)


def test_no_namespaces() -> None:
    """A container that shares all namespaces is entered by its root alone."""
    plan = execute(make_process(), 0, make_config(""))
    assert not {"setns", "fork"} & set(names(plan))
    assert one(plan, "open_root") == ("/bundle/rootfs", 0, 0)
    assert in_order(plan, "set_dumpable", "open_root", "change_root", "new_session")


def test_no_mount_namespace() -> None:
    """With others but without a mount namespace it is both."""
    assert in_order(
        execute(make_process(), c.CLONE_NEWPID, make_config("pid")), "setns", "fork", "change_root"
    )


def test_nothing_of_create() -> None:
    """Mounts, devices, hooks and sysctls of the configuration are not repeated."""
    config = make_config(
        "mount network uts",
        {
            "sysctl": {"net.ipv4.ip_forward": "1"},
            "maskedPaths": ["/proc/kcore"],
            "rootfsPropagation": "private",
        },
        mounts=[{"destination": "/tmp", "type": "tmpfs"}],
        hooks={"prestart": [{"path": "/h"}], "startContainer": [{"path": "/h"}]},
        hostname="box",
    )
    created = {"mount", "make_node", "run_runtime_hook", "run_container_hook", "write_sysctl", "mask_path"}
    created |= {
        "set_root",
        "set_hostname",
        "wait_for_start",
        "pivot_root",
        "set_propagation",
        "make_directory",
    }
    assert not created & set(names(execute(make_process(cwd="/srv"), USUAL, config)))


@pytest.mark.parametrize("terminal", [True, False])
def test_console(terminal: bool) -> None:
    """A terminal of the container's devpts, but not as its /dev/console."""
    process = make_process(terminal=terminal, consoleSize={"height": 25, "width": 80})
    plan = execute(process, USUAL, make_config())
    assert found(plan, "open_console") == ([(25, 80, 0)] if terminal else [])
    if terminal:
        assert in_order(plan, "setns", "fork", "open_console", "new_session")


def test_rlimits() -> None:
    """They are set before the change of user, after which prlimit(2) would need CAP_SYS_RESOURCE."""
    limit = {"type": "RLIMIT_CORE", "soft": 1, "hard": 2}
    plan = execute(make_process(rlimits=[limit]), USUAL, make_config())
    words = names(plan)
    start = words.index("close_descriptors")
    assert words[start : start + 4] == ["close_descriptors", "wait_for_runtime", "set_rlimit", "own_stdio"]


CONTAINER_PROCESS = {
    "capabilities": {"bounding": ["CAP_KILL"]},
    "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 77, "hard": 77}],
    "oomScoreAdj": 300,
}


def test_as_the_container() -> None:
    """What the process says nothing about is as in the container's own process."""
    plan = execute(make_process(), USUAL, make_config(process=make_process(**CONTAINER_PROCESS)))
    assert one(plan, "limit_bounding") == (1 << 5,)
    assert one(plan, "set_rlimit") == (7, 77, 77)
    assert one(plan, "set_oom_score_adj") == (300,)


def test_unlike_the_container() -> None:
    """What it does say counts, be it nothing."""
    process = make_process(capabilities={}, rlimits=[], oomScoreAdj=0)
    plan = execute(process, USUAL, make_config(process=make_process(**CONTAINER_PROCESS)))
    assert one(plan, "limit_bounding") == (0,)
    assert found(plan, "set_rlimit") == []
    assert one(plan, "set_oom_score_adj") == (0,)


def test_the_process_is_not_changed() -> None:
    """The caller's object stays as it was."""
    process = make_process()
    execute(process, USUAL, make_config(process=make_process(**CONTAINER_PROCESS)))
    assert process == make_process()


def test_other_members_are_not_taken_over() -> None:
    """User, environment, directory and no_new_privs are those of the process to execute."""
    own = make_process(
        user={"uid": 7, "gid": 7}, env=["A=1"], noNewPrivileges=True, cwd="/srv", terminal=True
    )
    plan = execute(make_process(), USUAL, make_config(process=own))
    assert one(plan, "set_user")[:2] == (0, 0)
    assert one(plan, "execute") == (["sh"], [])
    assert one(plan, "change_directory")[0] == "/"
    assert not {"set_no_new_privileges", "open_console"} & set(names(plan))


def test_container_without_process() -> None:
    """There is nothing to take over then."""
    config = make_config()
    del config["process"]
    assert "set_rlimit" not in names(execute(make_process(), USUAL, config))


def test_rights_go_in_order() -> None:
    """As in create: no_new_privs and the ambient set, the filter, then the capabilities."""
    plan = execute(make_process(noNewPrivileges=True), USUAL, make_config(), seccomp=(bytes(8), 1))
    steps = ["set_no_new_privileges", "raise_ambient", "load_seccomp", "set_capabilities", "execute"]
    assert names(plan)[-5:] == steps


def test_session() -> None:
    """The container's keyring, personality and the descriptors to keep are as in create."""
    config = make_config(linux={"personality": {"domain": "LINUX32"}})
    plan = execute(make_process(), USUAL, config, container_id="box", preserve_fds=2)
    assert one(plan, "join_keyring") == ("_ses.box",)
    assert one(plan, "set_personality") == (8,)
    assert one(plan, "close_descriptors") == (2,)
    assert "join_keyring" not in names(execute(make_process(), USUAL, config, no_new_keyring=True))


def test_capabilities_that_cannot_be_granted() -> None:
    """They are left out with a warning, but for containers with a user namespace."""
    process: dict[str, Any] = make_process(capabilities={"bounding": ["CAP_KILL"]})
    facts = Facts(V2, held_capabilities=0)
    plan = execute(process, USUAL, make_config(), facts=facts)
    assert plan.warnings == ["process.capabilities: left out CAP_KILL: not held by the runtime"]
    assert execute(process, USUAL | c.CLONE_NEWUSER, make_config(), facts=facts).warnings == []


def test_denied_groups() -> None:
    """Where the user namespace gave up setgroups, the groups stay as they are."""
    line = {"containerID": 0, "hostID": 1000, "size": 1}
    config = make_config("user mount", {"uidMappings": [line], "gidMappings": [line]})
    plan = execute(make_process(), c.CLONE_NEWUSER | c.CLONE_NEWNS, config, facts=Facts(V2, 1000, True))
    assert one(plan, "set_user")[2] is None
