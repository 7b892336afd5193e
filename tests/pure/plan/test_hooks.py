"""Hooks: on which side, when, and with what."""

from __future__ import annotations

from typing import Any

from .planning import create, found, in_order, make_config, names, one


def hook(path: str, **members: Any) -> dict[str, Any]:
    """An entry of a list of hooks."""
    return {"path": path, **members}


def test_order_and_side() -> None:
    """prestart, createRuntime and createContainer run before the root changes, startContainer after start."""
    kinds = ("startContainer", "createContainer", "createRuntime", "prestart")
    plan = create(make_config(hooks={kind: [hook(f"/{kind}/1"), hook(f"/{kind}/2")] for kind in kinds}))
    paths = [
        each.arguments[1] if each.name == "run_runtime_hook" else each.arguments[0]
        for each in plan.program
        if each.name in ("run_runtime_hook", "run_container_hook")
    ]
    assert paths == [
        "/prestart/1", "/prestart/2", "/createRuntime/1", "/createRuntime/2", "/createContainer/1",
        "/createContainer/2", "/startContainer/1", "/startContainer/2",
    ]  # fmt: skip
    assert in_order(
        plan, "make_node", "wait_for_runtime", *["run_runtime_hook"] * 4, *["run_container_hook"] * 2,
        "pivot_root", "set_user", "wait_for_start", *["run_container_hook"] * 2, "execute",
    )  # fmt: skip


def test_the_container_waits_for_the_runtime() -> None:
    """It stops right before the runtime's hooks, and only if there are any."""
    words = names(create(make_config(hooks={"createRuntime": [hook("/a")]})))
    assert words[words.index("run_runtime_hook") - 1] == "wait_for_runtime"
    assert "wait_for_runtime" not in names(create(make_config(hooks={"createContainer": [hook("/a")]})))
    assert "wait_for_runtime" not in names(create(make_config(hooks={"prestart": []})))


def test_arguments() -> None:
    """A hook gets the listed arguments, environment and timeout."""
    entry = hook("/bin/h", args=["h", "-x"], env=["A=1"], timeout=7)
    plan = create(make_config(hooks={"prestart": [entry], "createContainer": [entry]}))
    assert one(plan, "run_runtime_hook") == ("prestart", "/bin/h", ["h", "-x"], ["A=1"], 7)
    assert one(plan, "run_container_hook")[:4] == ("/bin/h", ["h", "-x"], ["A=1"], 7)


def test_defaults() -> None:
    """Without arguments the program's name is its path; without an environment it has none, whatever the
    process's is (CVE-2025-23266); without a timeout it may take for ever."""
    config = make_config(hooks={"createRuntime": [hook("/bin/h")]})
    config["process"]["env"] = ["LD_PRELOAD=/evil.so"]
    assert one(create(config), "run_runtime_hook") == ("createRuntime", "/bin/h", ["/bin/h"], [], 0)


def test_state() -> None:
    """Hooks in the container read the state on stdin, around the place of the pid: created."""
    hooks = {"createContainer": [hook("/a")], "startContainer": [hook("/b")]}
    plan = create(make_config(hooks=hooks))
    expected = (b'{"status":"created","pid":', b"}")
    assert [arguments[4:] for arguments in found(plan, "run_container_hook")] == [expected, expected]


def test_pointers() -> None:
    """Each hook names its entry."""
    hooks = {"prestart": [hook("/a")], "startContainer": [hook("/b"), hook("/c")]}
    plan = create(make_config(hooks=hooks))
    pointers = [each.pointer for each in plan.program if "hook" in each.name]
    assert pointers == ["/hooks/prestart/0", "/hooks/startContainer/0", "/hooks/startContainer/1"]


def test_hooks_of_others() -> None:
    """poststart and poststop are no part of the Program."""
    plan = create(make_config(hooks={"poststart": [hook("/a")], "poststop": [hook("/b")]}))
    assert not [name for name in names(plan) if "hook" in name]
