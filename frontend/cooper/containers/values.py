"""Values in flags: sizes, durations, pairs. Pure functions; all raise UsageError."""

from __future__ import annotations

from cooper.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def parse_size(text: str, flag: str) -> int:
    """Bytes: ``100m``, ``1.5GiB``, ``4096``; units are powers of 1024, as docker has them for memory."""
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
    unit = text[len(digits) :].lower()
    unit = unit.removesuffix("ib") if unit.endswith("ib") else unit.removesuffix("b") if unit != "b" else unit
    number = _number(digits)
    if number is None or unit not in _UNITS:
        raise UsageError(f"{flag}: {text!r} is not a size such as 100m")
    return int(number * _UNITS[unit])


def parse_duration(text: str, flag: str) -> float:
    """Seconds: ``1m30s``, ``500ms``, ``10`` (seconds)."""
    plain = _number(text)
    if plain is not None:
        return plain
    total, rest = 0.0, text
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(digits) :]
        unit = rest[: len(rest) - len(rest.lstrip("nuµmshd"))]
        rest = rest[len(unit) :]
        number = _number(digits)
        if number is None or unit not in _SECONDS:
            raise UsageError(f"{flag}: {text!r} is not a duration such as 1m30s")
        total += number * _SECONDS[unit]
    if not text:
        raise UsageError(f"{flag}: a duration such as 1m30s is missing")
    return total


def _number(text: str) -> float | None:
    """A number without sign or exponent, or None."""
    return float(text) if is_number(text.replace(".", "", 1)) else None


def is_number(text: str) -> bool:
    """Whether these are decimal digits, no more than 64 bits hold."""
    return text.isascii() and text.isdigit() and len(text) <= 18


def parse_cpus(text: str, flag: str) -> float:
    """How many processors, e.g. 1.5."""
    number = _number(text)
    if number is None:
        raise UsageError(f"{flag}: {text!r} is not a number of processors such as 1.5")
    return number


def parse_pairs(values: list[str], flag: str) -> dict[str, str]:
    """``NAME=VALUE``, each; a NAME alone has an empty value."""
    pairs = {}
    for value in values:
        name, _, rest = value.partition("=")
        if not name:
            raise UsageError(f"{flag}: {value!r} has no name before the =")
        pairs[name] = rest
    return pairs


def parse_fields(text: str, flag: str) -> dict[str, str]:
    """``key=value,key=value`` as in --mount; a key alone has the value "". Quotes as in CSV keep commas."""
    fields: dict[str, str] = {}
    part, quoted = "", False
    parts: list[str] = []
    for character in text:
        if character == '"':
            quoted = not quoted
        elif character == "," and not quoted:
            parts.append(part)
            part = ""
        else:
            part += character
    if quoted:
        raise UsageError(f"{flag}: a quote is not closed in {text!r}")
    for each in (*parts, part):
        key, _, value = each.partition("=")
        if not key:
            raise UsageError(f"{flag}: an empty part in {text!r}")
        fields[key.strip().lower()] = value
    return fields


def check_name(name: str, kind: str) -> str:
    """The name, which is one that docker allows."""
    plain = name.replace("_", "").replace(".", "").replace("-", "")
    if not (plain.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= 128):
        raise UsageError(f"{name!r} cannot be the name of a {kind}", "letters, digits, and then _ . -")
    return name


def accepting(filters: Sequence[str], test: Callable[[str], Callable[..., bool]]) -> Callable[..., bool]:
    """Whether something passes `--filter`s as docker has it: one of each key is enough, but labels are all there.

    Args:
        test: makes the test of one ``KEY=VALUE``. Raises: UsageError
    """
    groups: dict[str, list[Callable[..., bool]]] = {}
    for text in filters:
        key = text.partition("=")[0]
        groups.setdefault(text if key == "label" else key, []).append(test(text))
    return lambda *each: all(any(accept(*each) for accept in group) for group in groups.values())


def human_size(size: float) -> str:
    """Bytes in the unit that leaves at most three digits before the point; powers of 1000, as `df -H`."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 999.5 or unit == "TB":
            return f"{size:.3g}{unit}"
        size /= 1000
    raise AssertionError


def human_memory(size: float) -> str:
    """Bytes in powers of 1024, as memory is counted."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.4g}{unit}"
        size /= 1024
    raise AssertionError


def human_duration(seconds: float) -> str:
    """As docker says it: "Less than a second", "5 minutes", "About an hour"."""
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return f"{int(seconds)} second{'s' if int(seconds) != 1 else ''}"
    minutes = int(seconds // 60)
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    hours = int(seconds / 3600 + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    for name, size in (("days", 24), ("weeks", 24 * 7), ("months", 24 * 30), ("years", 24 * 365)):
        limit = {"days": 24 * 14, "weeks": 24 * 60, "months": 24 * 365 * 2}.get(name)
        if limit is None or hours < limit:
            return f"{hours // size} {name}"
    raise AssertionError
