"""What a process in a container tells of itself, taken apart."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ociconformance.container import Container


@dataclass(frozen=True)
class Mount:
    """A line of /proc/PID/mountinfo."""

    root: str
    point: str
    options: frozenset[str]
    """Of the mount."""
    propagation: frozenset[str]
    """Such as shared, master and unbindable, without their numbers."""
    type: str
    source: str
    super_options: frozenset[str]
    """Of the file system."""


def mounts(text: str) -> list[Mount]:
    """The mounts in the text of a mountinfo file, in its order."""
    return list(_mounts(text))


def _mounts(text: str) -> Iterator[Mount]:
    for line in text.splitlines():
        fields = [word.encode().decode("unicode_escape") for word in line.split(" ")]
        end = fields.index("-")
        yield Mount(
            fields[3],
            fields[4],
            frozenset(fields[5].split(",")),
            frozenset(word.partition(":")[0] for word in fields[6:end]),
            fields[end + 1],
            fields[end + 2],
            frozenset(fields[end + 3].split(",")),
        )


def mount_at(container: Container, point: str) -> Mount:
    """The topmost mount at a place in the container, which runs for this.

    Raises: AssertionError if nothing is mounted there.
    """
    found = [mount for mount in mounts(container.says("cat /proc/self/mountinfo")) if mount.point == point]
    assert found, f"nothing is mounted at {point}: {container.output}"
    return found[-1]


def fields(text: str) -> dict[str, str]:
    """Lines "name: value" or "name=value", as in /proc/self/status."""
    found = {}
    for line in text.splitlines():
        for separator in (":", "="):
            name, there, value = line.partition(separator)
            if there:
                found[name.strip()] = value.strip()
                break
    return found
