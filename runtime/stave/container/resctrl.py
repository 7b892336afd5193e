"""Groups of the resctrl file system. Imported only for a container with linux.intelRdt."""

from __future__ import annotations

import posix
from errno import EEXIST, EINVAL, ENOENT, ENOSPC

from stave.cgroups.files import write_file
from stave.container.state import exists
from stave.errors import KernelError
from stave.host.facts import read_file
from stave.host.resctrl import resctrl_mount
from stave.plan.resctrl import group_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ocispec.types import IntelRdt


def enter(pid: int, group: str, how: str, schemata: Sequence[str]) -> None:
    """The process is in the group, which has these schemata.

    Args:
        how: "make": the group must be new. "make or match": one that is there must have the schemata already.
            "find": it must be there.

    Raises:
        KernelError: that is not so, or the kernel refused; its last_cmd_status says why.
    """
    if how == "find" and not exists(group):
        raise KernelError(f"find resctrl group {group}", ENOENT)
    if how == "make or match" and exists(group):
        _match(group, schemata)
    elif how != "find":
        _make(group)
        for line in schemata:
            _write(f"{group}/schemata", f"{line}\n", group)
    _write(f"{group}/tasks", str(pid), group)


def change(rdt: IntelRdt, container_id: str, schemata: Mapping[str, str]) -> Callable[[], None]:
    """The container's group has these schemata, and so has `rdt`; what is returned takes the group's back.

    Args:
        schemata: members of linux.intelRdt.

    Raises:
        KernelError: resctrl is not mounted any more, or the kernel refused.
    """
    group = group_of(rdt, container_id, resctrl_mount())
    file = f"{group}/schemata"
    try:
        before = read_file(file)
    except OSError as error:
        raise KernelError(f"read {file}", error.errno or EINVAL) from error
    for line in schemata.values():
        _write(file, f"{line}\n", group)
    rdt.update(schemata)  # type: ignore[typeddict-item]
    return lambda: _write(file, before, group)


def remove(directories: Sequence[str], log_warning: Callable[[str], None]) -> None:
    """The directories are gone; what could not be removed is a warning."""
    for path in directories:
        try:
            posix.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            log_warning(str(KernelError(f"remove resctrl group {path}", error.errno or EINVAL)))


def _make(group: str) -> None:
    try:
        posix.mkdir(group, 0o755)
    except OSError as error:
        number = error.errno or EINVAL
        hint = {ENOSPC: "the processor has no group left", EEXIST: "it is somebody else's"}.get(number, "")
        raise KernelError(f"make resctrl group {group}", number, hint=hint) from error


def _write(file: str, text: str, group: str) -> None:
    try:
        write_file(file, text)
    except OSError as error:
        what = f"write {text.strip()!r} to {file}"
        raise KernelError(what, error.errno or EINVAL, hint=_last_status(group)) from error


def _last_status(group: str) -> str:
    """What the kernel says about the last command; the file is in the root."""
    while group:
        try:
            return read_file(f"{group}/info/last_cmd_status").strip()
        except OSError:
            group = group.rpartition("/")[0]
    return ""


def _match(group: str, wanted: Sequence[str]) -> None:
    there = _parse(read_file(f"{group}/schemata").splitlines())
    for line in wanted:
        for (kind, domain), value in _parse([line]).items():
            if there.get((kind, domain)) != value:
                hint = f"it has {kind}:{domain}={there.get((kind, domain), 'nothing')}, not {value}"
                raise KernelError(f"use resctrl group {group}", EEXIST, hint=hint)


def _parse(lines: Sequence[str]) -> dict[tuple[str, str], str]:
    """Resource and domain -> value, without the leading zeros that the kernel shows and people leave out."""
    found = {}
    for line in lines:
        kind, _, domains = line.strip().partition(":")
        for part in domains.split(";"):
            domain, _, value = part.strip().partition("=")
            found[kind, domain] = value.strip().lower().lstrip("0") or "0"
    return found
