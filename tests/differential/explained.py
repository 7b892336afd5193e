"""Differences between runtimes that are known, each with its reason. Everything else is a failure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .observe import Observation

Values = dict[str, str]

NOTHING = "(nothing)"
"""The value of a name that a runtime has nothing for."""


@dataclass(frozen=True)
class Explanation:
    """A difference in what programs see."""

    names: str
    """A regular expression for the names of the values that differ."""
    reason: str
    holds: Callable[[str, Values, dict[str, Observation]], bool]
    """Whether it explains that value: its name, the values by runtime, and all that was seen."""


def _only(*others: str) -> Callable[[str, Values, dict[str, Observation]], bool]:
    """It is these runtimes alone that differ from stave."""

    def holds(name: str, values: Values, seen: dict[str, Observation]) -> bool:
        return all(value == values["stave"] or runtime in others for runtime, value in values.items())

    return holds


def _masked(name: str, values: Values, seen: dict[str, Observation]) -> bool:
    """Something hides the path on every runtime: a device or an empty tmpfs, not the file or directory itself."""
    at = f"mount {name.split()[1]}"
    # A path that is to be read-only as well has another mount below or above that.
    return all({each.get(at), each.get(f"{at} #2")} & {"tmpfs", "devtmpfs"} for each in seen.values())


def _times(name: str, values: Values, seen: dict[str, Observation]) -> bool:
    """Apart from access times the options are the same."""
    return len({frozenset(value.split(",")) - {"noatime", "relatime"} for value in values.values()}) == 1


EXPLAINED: tuple[Explanation, ...] = (
    Explanation(
        "dev /dev/core",
        "crun links /dev/core to /proc/kcore, as old systems had it. The specification has no such link.",
        _only("crun"),
    ),
    Explanation(
        "dev /dev/null",
        "crun gives the standard streams to the program's user, and with them the container's /dev/null, which "
        "standard input happens to be. The others leave the device root's.",
        _only("crun"),
    ),
    Explanation(
        "mount /sys super",
        "runc makes a read-only sysfs read-only as a file system, the others as a mount. Nobody can tell them apart "
        "by trying to write.",
        _only("runc"),
    ),
    Explanation(
        "(mount|dev) (/proc/sys|/sys/fs|/etc/file|/proc/kcore)( .*)?",
        "What hides a masked path is up to the runtime: an empty read-only tmpfs over a directory, with options of "
        "its own choice; over a file the host's null device (stave, crun), or the container's (runc).",
        _masked,
    ),
    Explanation(
        "mount /dev/(null|zero|full|random|urandom|tty) options",
        "In a user namespace devices are bound from the host; crun adds nosuid and noexec to these mounts.",
        _only("crun"),
    ),
    Explanation(
        "dev /etc/new",
        "A tmpfs without a mode has that of the directory it covers, but with crun, which leaves the kernel's 1777.",
        _only("crun"),
    ),
    Explanation(
        "mount .* options",
        "Of several words for access times stave takes the last, as it does with all options that exclude each "
        "other; runc and crun hand all of them to the kernel, for which noatime goes before relatime.",
        _times,
    ),
)


def unexplained(seen: dict[str, Observation]) -> dict[str, Values]:
    """The values that differ between the runtimes for no known reason."""
    found = {}
    if any("refused" in each for each in seen.values()):
        # What one runtime has not run can't be compared any further.
        values = {runtime: each.get("refused", "no") for runtime, each in seen.items()}
        return {} if len(set(values.values())) == 1 else {"refused": values}
    for name in sorted({name for each in seen.values() for name in each}):
        if name.startswith("("):
            continue
        values = {runtime: each.get(name, NOTHING) for runtime, each in seen.items()}
        if len(set(values.values())) > 1 and not any(
            re.fullmatch(each.names, name, re.DOTALL) and each.holds(name, values, seen) for each in EXPLAINED
        ):
            found[name] = values
    return found
