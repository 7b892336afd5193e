"""Who writes the mappings of a new user namespace, and what an ordinary user gets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from stave.container.rootless import with_user_namespace
from stave.errors import ConfigError
from stave.host.facts import CgroupLayout, Facts
from stave.host.rootless import nearest_empty, subordinate_ids
from stave.plan.id_maps import add_id_maps, setgroups_denied
from stave.plan.program import Program

LAYOUT = CgroupLayout(None, {})
MAPPERS = ("/usr/bin/newuidmap", "/usr/bin/newgidmap")


def facts(euid: int = 1000, egid: int = 100, mappers: tuple[str, str] | None = MAPPERS) -> Facts:
    """A machine as this user sees it."""
    return Facts(LAYOUT, euid=euid, egid=egid, rootless=euid != 0, id_mappers=mappers)


def mappings(*lines: tuple[int, int, int]) -> list[dict[str, int]]:
    """inside, outside, size of each line."""
    return [dict(zip(("containerID", "hostID", "size"), line, strict=True)) for line in lines]


def planned(uids: Any, gids: Any, who: Facts) -> tuple[list[tuple[str, Any]], list[str]]:
    """The operations with their arguments, and the warnings."""
    program, warnings = Program(), list[str]()
    add_id_maps(program, {"uidMappings": uids, "gidMappings": gids}, who, warnings)
    return [(each.name, each.arguments) for each in program], warnings


def test_root_writes_them() -> None:
    """Whatever they are."""
    lines = mappings((0, 100000, 5), (5, 7, 1))
    assert planned(lines, lines, facts(0, 0)) == (
        [
            ("write_id_map", ("gid_map", "0 100000 5\n5 7 1\n")),
            ("write_id_map", ("uid_map", "0 100000 5\n5 7 1\n")),
        ],
        [],
    )


def test_own_ids() -> None:
    """An ordinary user may map the own ones, and gives up setgroups for it."""
    assert planned(mappings((0, 1000, 1)), mappings((0, 100, 1)), facts()) == (
        [
            ("write_id_map", ("setgroups", "deny")),
            ("write_id_map", ("gid_map", "0 100 1\n")),
            ("write_id_map", ("uid_map", "0 1000 1\n")),
        ],
        [],
    )


def test_other_ids_take_the_programs() -> None:
    """newgidmap and newuidmap, by their paths; a single id that is another's does, too."""
    found, warnings = planned(mappings((0, 1000, 1), (1, 100000, 65536)), mappings((0, 1000, 1)), facts())
    assert found == [
        ("run_id_mapper", (MAPPERS[1], ["0", "1000", "1"])),
        ("run_id_mapper", (MAPPERS[0], ["0", "1000", "1", "1", "100000", "65536"])),
    ]
    assert warnings == []


def test_without_the_programs() -> None:
    """The own id alone is mapped, where the mapping has it, and the warning names what to install."""
    found, warnings = planned(mappings((0, 900, 500)), mappings((5, 100, 10)), facts(mappers=None))
    assert found == [
        ("write_id_map", ("setgroups", "deny")),
        ("write_id_map", ("gid_map", "5 100 1\n")),
        ("write_id_map", ("uid_map", "100 1000 1\n")),
    ]
    assert warnings == [
        "newgidmap is not installed (Debian: uidmap): only gid 5 is mapped",
        "newuidmap is not installed (Debian: uidmap): only uid 100 is mapped",
    ]


def test_nothing_to_fall_back_on() -> None:
    """A mapping without the own id cannot be had without the programs."""
    with pytest.raises(ConfigError, match="uidMappings: does not map uid 1000, and others take newuidmap"):
        planned(mappings((0, 5, 5)), mappings((0, 100, 1)), facts(mappers=None))


@pytest.mark.parametrize(("uids", "gids"), [([], mappings((0, 1, 1))), (mappings((0, 1, 1)), None)])
def test_missing(uids: Any, gids: Any) -> None:
    """Both are needed."""
    with pytest.raises(ConfigError, match="needs at least one mapping"):
        planned(uids, gids, facts())


def test_setgroups() -> None:
    """Root and newgidmap's users keep it; in a user namespace without it nobody has it."""
    linux: Any = {"gidMappings": mappings((0, 100, 1), (1, 5, 5))}
    assert not setgroups_denied(linux, facts(0, 0))
    assert not setgroups_denied(linux, facts())
    assert setgroups_denied(linux, facts(mappers=None))
    inside = Facts(LAYOUT, rootless=True, groups_denied=True)
    assert setgroups_denied({}, inside) and setgroups_denied(linux, inside)


def test_user_namespace_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration without one gets it: the user as root, and the subordinate ids behind."""
    tables: dict[str, list[tuple[int, int]]] = {"/etc/subuid": [(100000, 10), (500, 1)], "/etc/subgid": []}
    monkeypatch.setattr("stave.container.rootless.subordinate_ids", lambda table, uid: tables[table])
    config: Any = {"linux": {"namespaces": [{"type": "pid"}], "sysctl": {}}}
    changed = with_user_namespace(config, facts())
    assert changed["linux"] == {
        "namespaces": [{"type": "pid"}, {"type": "user"}],
        "sysctl": {},
        "uidMappings": mappings((0, 1000, 1), (1, 100000, 10), (11, 500, 1)),
        "gidMappings": mappings((0, 100, 1)),
    }
    assert with_user_namespace(config, facts(mappers=None))["linux"]["uidMappings"] == mappings((0, 1000, 1))


@pytest.mark.parametrize("namespace", [{"type": "user"}, {"type": "user", "path": "/proc/1/ns/user"}])
def test_user_namespace_that_is_there(namespace: Any) -> None:
    """It is left as it is."""
    config: Any = {"linux": {"namespaces": [namespace]}}
    assert with_user_namespace(config, facts()) is config


def test_subordinate_ids(tmp_path: Path) -> None:
    """Lines by number or name count; broken ones and others' do not; without a table there are none."""
    table = tmp_path / "subuid"
    table.write_text("54321:100:5\nroot:1:1\n54321:x:1\n#\n54321:7\n54321:200:1\n")
    assert subordinate_ids(str(table), 54321) == [(100, 5), (200, 1)]
    assert subordinate_ids(str(table), 0) == [(1, 1)]
    assert subordinate_ids(str(tmp_path / "none"), 0) == []


Test = Callable[[str], bool]


@pytest.mark.parametrize(
    ("may_use", "holds", "expected"),
    [
        (lambda group: True, lambda group: group == "/a/b/c", "/a/b"),
        (lambda group: group != "/a", lambda group: group != "/a", ""),
        (lambda group: True, lambda group: True, ""),
        (lambda group: False, lambda group: False, ""),
        (lambda group: True, lambda group: False, "/a/b/c"),
    ],
)
def test_delegated_group(may_use: Test, holds: Test, expected: str) -> None:
    """The nearest empty one, as long as all on the way are the user's."""
    assert nearest_empty("/a/b/c", may_use, holds) == expected
