"""The named string formats of our schemas, without `re`: both validators call these same functions."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DIGITS = frozenset("0123456789")
_IDENTIFIER = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-")


def is_semver(value: str) -> bool:
    """True for a version in the form of Semantic Versioning 2.0.0."""
    rest, plus, build = value.partition("+")
    core, dash, prerelease = rest.partition("-")
    numbers = core.split(".")
    if len(numbers) != 3 or not all(_is_number(number) for number in numbers):
        return False
    if plus and not all(_is_identifier(part) for part in build.split(".")):
        return False
    return not dash or all(
        _is_identifier(part) and (_is_number(part) or not _DIGITS.issuperset(part))
        for part in prerelease.split(".")
    )


def is_oci_version(value: str) -> bool:
    """True for every 1.x: a configuration of one is valid in all of them.

    Spec: config.md#specification-version
    """
    return value.startswith("1.") and is_semver(value)


def is_absolute_path(value: str) -> bool:
    """True for a path that starts at the root."""
    return value.startswith("/")


def is_optional_absolute_path(value: str) -> bool:
    """True for an absolute path and for the empty string, which Go callers write for "not set"."""
    return not value or value.startswith("/")


def is_number_list(value: str) -> bool:
    """True for a list of CPUs or memory nodes such as `0-3,7`, and for the empty list.

    Spec: config.md#linux-process
    """
    return not value or all(_is_range(part) for part in value.split(","))


def is_device_access(value: str) -> bool:
    """True for a composition of `r`, `w` and `m`, each at most once.

    Spec: config-linux.md#allowed-device-list
    """
    return len(set(value)) == len(value) and set(value) <= {"r", "w", "m"}


def is_hugepage_size(value: str) -> bool:
    """True for `<size><unit-prefix>B` such as `64KB`, `2MB`, `1GB`.

    Spec: config-linux.md#huge-page-limits
    """
    number = value[:-1].rstrip("KMGTPE")
    return value.endswith("B") and len(value) - len(number) <= 2 and _is_number(number) and number != "0"


def is_clos_id(value: str) -> bool:
    """True for one name of a directory, and for `/`, the root of the resctrl file system.

    Spec: config-linux.md#intelrdt
    """
    return value == "/" or (value not in (".", "..") and "/" not in value)


def is_line(value: str) -> bool:
    """True for text without a newline."""
    return "\n" not in value


def is_memory_bandwidth_schema(value: str) -> bool:
    """True for one line that starts with `MB:`.

    Spec: config-linux.md#intelrdt
    """
    return value.startswith("MB:") and is_line(value)


def _is_number(text: str) -> bool:
    """True for decimal digits without a leading zero, ASCII only (str.isdigit knows others)."""
    return bool(text) and _DIGITS.issuperset(text) and (text[0] != "0" or text == "0")


def _is_identifier(text: str) -> bool:
    return bool(text) and _IDENTIFIER.issuperset(text)


def _is_range(text: str) -> bool:
    first, dash, last = text.partition("-")
    # Ten digits hold every CPU number; the bound keeps int() away from absurd input.
    if not first or len(first) > 10 or not _DIGITS.issuperset(first):
        return False
    if not dash:
        return True
    return bool(last) and len(last) <= 10 and _DIGITS.issuperset(last) and int(first) <= int(last)


FORMATS: dict[str, tuple[Callable[[str], bool], str]] = {
    "semver": (is_semver, "must be a semantic version such as 1.2.0"),
    "oci-version": (is_oci_version, "must be a semantic version 1.x.y of the runtime specification"),
    "absolute-path": (is_absolute_path, "must be an absolute path"),
    "optional-absolute-path": (is_optional_absolute_path, "must be an absolute path"),
    "number-list": (is_number_list, "must be a list of numbers and ranges such as 0-3,7"),
    "device-access": (is_device_access, "must be made of the letters r, w and m"),
    "hugepage-size": (is_hugepage_size, "must be a huge page size such as 64KB, 2MB or 1GB"),
    "clos-id": (is_clos_id, "must be the name of one directory, or /"),
    "line": (is_line, "must not contain a newline"),
    "memory-bandwidth-schema": (is_memory_bandwidth_schema, "must start with MB: and be one line"),
}
