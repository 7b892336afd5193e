"""The user's process: session, user, directory, program."""

from __future__ import annotations

from typing import Any

import pytest

from stave.errors import ConfigError
from stave.plan.process import DEFAULT_PATH
from stave.plan.rlimits import NAMES as RLIMITS

from .planning import MAPPINGS, create, found, in_order, make_config, make_process, names, one


def plan_process(namespaces: str = "mount", **members: Any) -> Any:
    """The plan of a container whose process has these members."""
    return create(make_config(namespaces, process=make_process(**members)))


def test_order() -> None:
    """Rights go in an order in which each step still has what it needs."""
    config = make_config(linux={"personality": {"domain": "LINUX32"}})
    config["process"] |= {"noNewPrivileges": True, "rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]}
    plan = create(config, seccomp=(bytes(16), 2))
    words = names(plan)
    assert words[words.index("new_session") :] == [
        "new_session", "join_keyring", "set_personality", "close_descriptors", "wait_for_runtime", "set_rlimit",
        "own_stdio", "limit_bounding", "set_user", "change_directory", "find_executable", "find_home",
        "wait_for_start",
        "set_no_new_privileges", "raise_ambient", "load_seccomp", "set_capabilities", "execute",
    ]  # fmt: skip


def test_execute() -> None:
    """Arguments and environment are as configured; the program is looked for before start."""
    plan = plan_process(args=["sh", "-c", "true"], env=["A=1", "TERM=xterm"])
    assert one(plan, "execute") == (["sh", "-c", "true"], ["A=1", "TERM=xterm"])
    assert in_order(plan, "set_user", "change_directory", "find_executable", "wait_for_start", "execute")


@pytest.mark.parametrize(
    ("environment", "search"),
    [
        ([], DEFAULT_PATH),
        (["PATH=/opt/bin:/bin"], "/opt/bin:/bin"),
        (["A=PATH=/x", "XPATH=/y"], DEFAULT_PATH),
        (["PATH=/a", "PATH=/b"], "/b"),
        (["PATH="], ""),
    ],
)
def test_search_path(environment: list[str], search: str) -> None:
    """The program is looked for in the process's own PATH, the last one, or else in the usual places."""
    assert one(plan_process(env=environment), "find_executable") == ("sh", search)


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ({"uid": 0, "gid": 0}, (0, 0, b"", 0o022)),
        ({"uid": 1000, "gid": 100}, (1000, 100, b"", 0o022)),
        ({"uid": 1, "gid": 2, "umask": 0o077}, (1, 2, b"", 0o077)),
        ({"uid": 1, "gid": 2, "umask": 0}, (1, 2, b"", 0)),
        ({"uid": 1, "gid": 2, "additionalGids": [5, 70000]}, (1, 2, b"\5\0\0\0\x70\x11\1\0", 0o022)),
        ({"uid": 4294967294, "gid": 4294967294}, (4294967294, 4294967294, b"", 0o022)),
    ],
)
def test_user(user: dict[str, Any], expected: tuple[Any, ...]) -> None:
    """Ids, groups and umask are as configured; the caller's groups are dropped in any case."""
    plan = plan_process(user=user)
    assert one(plan, "set_user")[:4] == expected
    assert one(plan, "own_stdio") == (user["uid"],)


@pytest.mark.parametrize("value", ["1", "0"])
def test_groups_of_the_caller(value: str) -> None:
    """An annotation keeps the caller's groups, in a user namespace as well, in place of the configured ones."""
    user = {"uid": 0, "gid": 0, "additionalGids": [5]}
    config = make_config("mount user", MAPPINGS, process=make_process(user=user))
    config["annotations"] = {"run.oci.keep_original_groups": value}
    plan = create(config)
    assert one(plan, "become_root") == (int(value),)
    assert (one(plan, "set_user")[2] is None) == (value == "1")


def test_no_user() -> None:
    """Without a user it is root of the container."""
    process = make_process()
    del process["user"]
    assert one(create(make_config(process=process)), "set_user")[:2] == (0, 0)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"terminal": True}, [(0, 0, 1)]),
        ({"terminal": True, "consoleSize": {"height": 25, "width": 80}}, [(25, 80, 1)]),
        ({"terminal": False, "consoleSize": {"height": 25, "width": 80}}, []),
        ({}, []),
    ],
)
def test_console(members: dict[str, Any], expected: list[tuple[int, int, int]]) -> None:
    """A terminal has rows and columns; without one the size is ignored."""
    assert found(plan_process(**members), "open_console") == expected


def test_console_place() -> None:
    """The terminal comes after the mounts that bring its devpts and before hooks and the change of root."""
    plan = create(
        make_config(
            mounts=[{"destination": "/dev/pts", "type": "devpts"}],
            hooks={"createRuntime": [{"path": "/h"}]},
            process=make_process(terminal=True),
        )
    )
    assert in_order(
        plan, "mount", "make_node", "open_console", "wait_for_runtime", "pivot_root", "new_session"
    )


def test_console_without_a_mount_namespace() -> None:
    """It is not mounted at /dev/console then: the mount would be the host's."""
    assert one(plan_process("pid", terminal=True), "open_console") == (0, 0, 0)


def test_keyring() -> None:
    """The session keyring is the container's own, unless the caller's is to stay."""
    assert one(create(make_config(), container_id="box"), "join_keyring") == ("_ses.box",)
    assert "join_keyring" not in names(create(make_config(), no_new_keyring=True))


@pytest.mark.parametrize(("domain", "persona"), [("LINUX", 0), ("LINUX32", 8)])
def test_personality(domain: str, persona: int) -> None:
    """The execution domain is set, if there is one."""
    plan = create(make_config(linux={"personality": {"domain": domain}}))
    assert one(plan, "set_personality") == (persona,)
    assert "set_personality" not in names(create(make_config()))


@pytest.mark.parametrize("preserve", [0, 3])
def test_descriptors(preserve: int) -> None:
    """All but the standard streams and the caller's are closed before the container waits."""
    plan = create(make_config(), preserve_fds=preserve)
    assert one(plan, "close_descriptors") == (preserve,)
    assert in_order(plan, "close_descriptors", "wait_for_start")


def test_seccomp() -> None:
    """The filter is loaded after start, as late as rights allow, and only if there is one."""
    assert one(create(make_config(), seccomp=(b"x" * 16, 6)), "load_seccomp") == (b"x" * 16, 6)
    assert "load_seccomp" not in names(create(make_config()))


@pytest.mark.parametrize(
    ("members", "count"), [({"noNewPrivileges": True}, 1), ({"noNewPrivileges": False}, 0), ({}, 0)]
)
def test_no_new_privileges(members: dict[str, Any], count: int) -> None:
    """It is set on request."""
    assert len(found(plan_process(**members), "set_no_new_privileges")) == count


@pytest.mark.parametrize(("number", "name"), list(enumerate(RLIMITS)))
def test_rlimits(number: int, name: str) -> None:
    """Every limit of getrlimit(2) has the kernel's number."""
    plan = plan_process(rlimits=[{"type": name, "soft": 500, "hard": (1 << 64) - 1}])
    assert one(plan, "set_rlimit") == (number, 500, (1 << 64) - 1)


def test_rlimits_of_this_machine() -> None:
    """The table agrees with the C library's."""
    import resource

    for name in (
        "RLIMIT_CPU",
        "RLIMIT_NOFILE",
        "RLIMIT_AS",
        "RLIMIT_MEMLOCK",
        "RLIMIT_RTTIME",
        "RLIMIT_MSGQUEUE",
    ):
        assert RLIMITS[getattr(resource, name)] == name


def test_rlimits_are_set_by_the_runtime_before_the_change_of_user() -> None:
    """The container's side stops for it: later prlimit(2) would need CAP_SYS_RESOURCE."""
    words = names(plan_process(rlimits=[{"type": "RLIMIT_CORE", "soft": 1, "hard": 1}]))
    assert words[words.index("set_rlimit") - 1] == "wait_for_runtime"
    assert words.index("set_rlimit") < words.index("set_user")


@pytest.mark.parametrize(
    ("soft", "hard", "early"), [(5, 7, []), (5, 500, [(7, 64, 500)]), (0, 64, [(7, 64, 64)]), (63, 63, [])]
)
def test_few_descriptors(soft: int, hard: int, early: list[tuple[int, int, int]]) -> None:
    """The runtime sees to the hard limit; a soft one that stave-init could not live with comes last, but before the
    filter, which might refuse it."""
    config = make_config()
    config["process"]["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": soft, "hard": hard}]
    plan = create(config, seccomp=(b"12345678", 0))
    assert found(plan, "set_rlimit") == early
    assert one(plan, "lower_rlimit") == (7, soft, hard)
    assert in_order(plan, "wait_for_start", "lower_rlimit", "load_seccomp", "execute")


def test_home() -> None:
    """HOME is looked up where the environment has none, as the user and before the program is let loose."""
    assert "find_home" not in names(plan_process(env=["PATH=/", "HOME="]))
    assert in_order(plan_process(env=["XHOME=/"]), "set_user", "find_home", "wait_for_start")


@pytest.mark.parametrize("name", ["RLIMIT_TEST", "NOFILE", "rlimit_nofile", ""])
def test_unknown_rlimit(name: str) -> None:
    """It is refused by name."""
    with pytest.raises(ConfigError, match=r"^process\.rlimits\[0\]\.type: no resource limit is called"):
        plan_process(rlimits=[{"type": name, "soft": 1, "hard": 1}])


@pytest.mark.parametrize("score", [-1000, 0, 1000])
def test_oom_score(score: int) -> None:
    """It is set if it is there, zero included."""
    assert one(plan_process(oomScoreAdj=score), "set_oom_score_adj") == (score,)


def test_no_oom_score() -> None:
    """Without one the process keeps the runtime's."""
    assert "set_oom_score_adj" not in names(plan_process())


def test_no_process() -> None:
    """A container without a process is made, waits, and has nothing to run."""
    config = make_config(linux={"maskedPaths": ["/proc/kcore"]})
    del config["process"]
    words = names(create(config))
    assert words[words.index("pivot_root") :] == [
        "pivot_root", "mask_path", "set_root", "new_session", "join_keyring", "close_descriptors",
        "wait_for_start",
    ]  # fmt: skip
