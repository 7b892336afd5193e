"""Programs in words."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stave.plan import operations
from stave.plan.explain import as_json, as_text
from stave.plan.program import Program

from .planning import MAPPINGS, create, make_config, make_process


def line(name: str, pointer: str, *arguments: Any) -> str:
    """The line for a Program of one operation, without its number and side."""
    program = Program()
    program.add(name, pointer, *arguments)
    return as_text(program).split(maxsplit=2)[2].rstrip("\n")


def test_lines() -> None:
    """Operations are numbered from 1, with the side that executes them, over both sides."""
    program = Program()
    program.add("clone", "/linux/namespaces", 0x20020000)
    program.add("set_dumpable", "", 0)
    assert as_text(program) == (
        "  1 runtime   clone flags=CLONE_NEWNS|CLONE_NEWPID (linux.namespaces)\n"
        "  2 container set_dumpable value=0\n"
    )


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (("unshare", "", 0x10000000), "unshare flags=CLONE_NEWUSER"),
        (("unshare", "", 0x2), "unshare flags=0x2"),
        (("setns", "", "ns/net", 0x40000000), "setns namespace=ns/net type=CLONE_NEWNET"),
        (("set_propagation", "", 1 << 19 | 1 << 14), "set_propagation flags=MS_REC|MS_SLAVE"),
        (
            ("mount", "/mounts/3", "tmpfs", "tmpfs", "/a b", 3, 1 << 18, ["size=1k"], 2),
            'mount type=tmpfs source=tmpfs target="/a b" attributes=MOUNT_ATTR_RDONLY|MOUNT_ATTR_NOSUID '
            'propagation=MS_PRIVATE parameters=["size=1k"] options=MOUNT_REAL_TARGET (mounts[3])',
        ),
        (
            ("bind", "/mounts/0", "/s", "/t", 0x10, 0x70, 1, 0, 0, 5),
            "bind source=/s target=/t set=MOUNT_ATTR_NOATIME clear=MOUNT_ATTR__ATIME "
            "recursive_set=MOUNT_ATTR_RDONLY options=MOUNT_RECURSIVE|MOUNT_ON_PROC (mounts[0])",
        ),
        (("bind", "", "/s", "/t", 0, 0, 0, 0, 0, 0), "bind source=/s target=/t"),
        (
            ("make_node", "", "/dev/null", 0o020666, 1, 3, 0, 0),
            'make_node path=/dev/null mode="0666 character device" major=1 minor=3 uid=0 gid=0',
        ),
        (("make_directory", "", "/srv", 0o755), "make_directory path=/srv mode=0755"),
        (("limit_bounding", "", 0), "limit_bounding keep=none"),
        (("limit_bounding", "", 0b100001), "limit_bounding keep=CAP_CHOWN|CAP_KILL"),
        (
            ("set_user", "", 1, 2, b"\5\0\0\0\6\0\0\0", 0o27, 1),
            "set_user uid=1 gid=2 groups=[5, 6] umask=0027 effective=CAP_CHOWN",
        ),
        (("set_user", "", 1, 2, None, 0o22, 0), "set_user uid=1 gid=2 umask=0022 effective=none"),
        (
            ("load_seccomp", "/linux/seccomp", bytes(80), 3),
            'load_seccomp program="10 instructions" '
            "flags=SECCOMP_FILTER_FLAG_TSYNC|SECCOMP_FILTER_FLAG_LOG (linux.seccomp)",
        ),
        (
            ("attach_device_filter", "", "/c", bytes(16)),
            'attach_device_filter path=/c program="2 instructions"',
        ),
        (("set_rlimit", "", 7, 5, (1 << 64) - 1), "set_rlimit resource=RLIMIT_NOFILE soft=5 hard=unlimited"),
        (("set_personality", "", 8), "set_personality persona=LINUX32"),
        (("execute", "", ["A", "B C"], []), 'execute arguments=["A", "B C"]'),
        (
            ("run_container_hook", "/hooks/createContainer/1", "/h", ["h"], [], 7, b'{"pid":', b"}"),
            'run_container_hook path=/h arguments=["h"] timeout=7 before="{\\"pid\\":" after=} '
            "(hooks.createContainer[1])",
        ),
        (("write_id_map", "", "uid_map", "0 1 2\n"), 'write_id_map file=uid_map text="0 1 2\\n"'),
    ],
)
def test_arguments(operation: tuple[Any, ...], expected: str) -> None:
    """Numbers of the kernel's are shown by name; what asks for nothing is left out."""
    assert line(*operation) == expected


def test_json() -> None:
    """The same as objects, complete, for programs."""
    program = Program()
    program.add("remount", "/mounts/0", "/dev", 1, 0, 0, (), 0)
    assert as_json(program) == [
        {
            "number": 1,
            "side": "container",
            "operation": "remount",
            "property": "mounts[0]",
            "pointer": "/mounts/0",
            "arguments": {
                "target": "/dev",
                "set": ["MOUNT_ATTR_RDONLY"],
                "clear": [],
                "propagation": [],
                "parameters": [],
                "options": [],
            },
        }
    ]


def test_a_whole_program() -> None:
    """Every operation of a rich container has its line, and the JSON can be written."""
    config = make_config(
        "user mount pid network time",
        {**MAPPINGS, "timeOffsets": {"boottime": {"secs": 1}}, "sysctl": {"net.ipv4.ip_forward": "1"}},
        mounts=[
            {"destination": "/tmp", "type": "tmpfs"},
            {"destination": "/b", "type": "bind", "source": "/s"},
        ],
        hooks={"prestart": [{"path": "/h"}], "createContainer": [{"path": "/h"}]},
        process=make_process(terminal=True, rlimits=[{"type": "RLIMIT_CPU", "soft": 1, "hard": 1}]),
    )
    program = create(config, seccomp=(bytes(8), 0)).program
    lines = as_text(program).splitlines()
    assert len(lines) == len(program.operations) == len(json.loads(json.dumps(as_json(program))))
    assert [text.split()[2] for text in lines] == [each.name for each in program]


@pytest.mark.parametrize("table", [operations.CONTAINER, operations.RUNTIME])
def test_every_operation(table: dict[str, tuple[str, str]]) -> None:
    """There is none in the table that cannot be explained."""
    examples: dict[str, Any] = {
        "i": 1,
        "t": "x",
        "b": b"xxxx",
        "l": ["x"],
        "f": "x",
        "p": [("Slice", ("s", "x"))],
    }
    for name, (arguments, kinds) in table.items():
        assert len(arguments.split()) == len(kinds), name
        assert line(name, "", *[examples[kind] for kind in kinds]).startswith(name)
