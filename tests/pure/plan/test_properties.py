"""What holds for any configuration: `planning.check`, applied to every plan that is made here."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stave.errors import ConfigError
from stave.host.facts import Facts
from stave.plan.mount_options import MOUNT_OPTIONS
from stave.plan.namespaces import NAMESPACES, Namespaces
from stave.plan.operations import CONTAINER
from stave.plan.program import Operation

from .planning import HYBRID, MAPPINGS, V1, V2, create, execute, make_config, make_process, names

namespaces = st.dictionaries(st.sampled_from(sorted(NAMESPACES)), st.sampled_from(["", "/proc/7/ns/x"]))
mounts = st.lists(
    st.fixed_dictionaries(
        {
            "destination": st.sampled_from(
                ["/", "/dev", "/sys", "/proc", "/a/b", "x", "/proc/stat", "/proc/1"]
            ),
            "source": st.sampled_from(["/srv", "data", "/proc"]),
        },
        optional={
            "type": st.sampled_from(["tmpfs", "proc", "sysfs", "cgroup", "bind", "ext4"]),
            "options": st.lists(st.sampled_from([*MOUNT_OPTIONS, "size=1k", "mode=755"]), max_size=4),
        },
    ),
    max_size=4,
)
hooks = st.dictionaries(
    st.sampled_from(["prestart", "createRuntime", "createContainer", "startContainer", "poststop"]),
    st.lists(st.just({"path": "/h"}), max_size=2),
)
capabilities = st.dictionaries(
    st.sampled_from(["bounding", "effective", "permitted", "inheritable", "ambient"]),
    st.lists(st.sampled_from(["CAP_KILL", "CAP_BPF", "CAP_SYS_ADMIN", "CAP_TEST"])),
)
processes = st.builds(
    make_process,
    terminal=st.booleans(),
    noNewPrivileges=st.booleans(),
    capabilities=capabilities,
    rlimits=st.sampled_from([[], [{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]]),
)
facts = st.builds(
    Facts,
    cgroups=st.sampled_from([V1, V2, HYBRID]),
    euid=st.sampled_from([0, 1000]),
    id_mappers=st.just(("/newuidmap", "/newgidmap")),
    rootless=st.booleans(),
    last_capability=st.sampled_from([37, 40]),
    held_capabilities=st.integers(0, (1 << 41) - 1),
)
seccomp = st.sampled_from([None, (bytes(8), 1)])


def configure(entries: dict[str, str], **members: Any) -> dict[str, Any]:
    """A configuration with these namespaces, and maps if they need some."""
    linux = MAPPINGS if entries.get("user") == "" else {}
    words = [f"{kind}={path}" if path else kind for kind, path in entries.items()]
    return make_config(" ".join(words), linux, **members)


@given(namespaces, facts)
def test_any_namespaces(entries: dict[str, str], machine: Facts) -> None:
    """Each namespace is made or joined once, and the process ends up in all of them."""
    plan = create(configure(entries), machine)
    wanted = Namespaces([{"type": kind, "path": path} for kind, path in entries.items()])  # type: ignore
    made = joined = 0
    for operation in plan.program:
        if operation.name in ("clone", "unshare"):
            flags = operation.arguments[0]
            assert isinstance(flags, int)
            assert not made & flags
            made |= flags
        elif operation.name == "setns":
            flags = operation.arguments[1]
            assert isinstance(flags, int)
            joined |= flags
    assert (made, joined, plan.namespaces) == (wanted.new, wanted.joined, wanted.own)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(namespaces, mounts, hooks, processes, facts, seccomp, st.booleans(), st.booleans())
def test_any_container(
    entries: dict[str, str],
    mount_entries: list[dict[str, Any]],
    hook_entries: dict[str, Any],
    process: dict[str, Any],
    machine: Facts,
    filter_: tuple[bytes, int] | None,
    has_process: bool,
    readonly: bool,
) -> None:
    """It is refused for a reason, or its Program can be encoded and the two sides take turns properly."""
    config = configure(entries, mounts=mount_entries, hooks=hook_entries, process=process)
    config["root"]["readonly"] = readonly
    if not has_process:
        del config["process"]
    try:
        plan = create(config, machine, seccomp=filter_, no_pivot=readonly)
    except ConfigError as error:
        assert error.pointer
        return
    for operation in plan.program:
        if operation.name in CONTAINER:
            assert operation.pointer == "" or operation.pointer.startswith("/")
    assert names(plan).count("wait_for_start") == 1


@given(namespaces, processes, facts, seccomp)
def test_any_exec(
    entries: dict[str, str], process: dict[str, Any], machine: Facts, filter_: tuple[bytes, int] | None
) -> None:
    """The same for exec into any container."""
    config = configure(entries)
    plan = execute(process, create(config).namespaces, config, facts=machine, seccomp=filter_)
    assert names(plan)[-1] == "execute"


@given(namespaces, mounts, facts)
def test_pure(entries: dict[str, str], mount_entries: list[dict[str, Any]], machine: Facts) -> None:
    """The same input gives the same Program, and is left as it was."""

    def outcome() -> list[Operation] | str:
        config = configure(entries, mounts=mount_entries)
        before = repr(config)
        try:
            operations: list[Operation] | str = create(config, machine).program.operations
        except ConfigError as error:
            operations = str(error)
        assert repr(config) == before
        return operations

    assert outcome() == outcome()
