"""Lines that change an image's configuration, as `commit -c` and `import -c` take them: `CMD ["sh"]`, `ENV A=b`.

The instructions are those of a Dockerfile that need no build.
"""

from __future__ import annotations

from ociimage.errors import InvalidOption
from ocispec import jsontext
from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any


def apply_changes(config: dict[str, Any], lines: Sequence[str]) -> None:
    """Applies each line to the container configuration of an image. Raises: InvalidOption"""
    for line in lines:
        instruction, _, rest = line.strip().partition(" ")
        apply = _INSTRUCTIONS.get(instruction.upper())
        if apply is None:
            known = ", ".join(_INSTRUCTIONS)
            raise InvalidOption(f"change {line!r}: {instruction!r} is none of {known}")
        rest = rest.strip()
        if not rest or "\0" in rest:
            raise InvalidOption(f"change {line!r}: {instruction} of what?")
        try:
            apply(config, rest)
        except ValueError as error:
            raise InvalidOption(f"change {line!r}: {error}") from error


def _command(text: str) -> list[str]:
    """A JSON list, or a line for the shell."""
    if text.startswith("["):
        try:
            value = jsontext.loads(text.encode())
        except InvalidJSON as error:
            raise ValueError(f"not a JSON list: {error}") from error
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError("not a list of strings")
        return value
    return ["/bin/sh", "-c", text]


def _cmd(config: dict[str, Any], text: str) -> None:
    config["Cmd"] = _command(text)


def _entrypoint(config: dict[str, Any], text: str) -> None:
    config["Entrypoint"] = _command(text)


def _words(text: str) -> list[str]:
    import shlex

    return shlex.split(text)


def _pairs(text: str) -> list[tuple[str, str]]:
    """`A=b C="d e"`, or the older `A b`."""
    words = _words(text)
    if "=" not in words[0]:
        name, _, value = text.partition(" ")
        if not value:
            raise ValueError("a name without a value")
        return [(name, value.strip())]
    pairs = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise ValueError(f"{word!r} is not NAME=VALUE")
        pairs.append((name, value))
    return pairs


def _env(config: dict[str, Any], text: str) -> None:
    entries = dict.fromkeys(config.get("Env") or ())
    for name, value in _pairs(text):
        old = [entry for entry in entries if entry.partition("=")[0] == name]
        for entry in old:
            del entries[entry]
        entries[f"{name}={value}"] = None
    config["Env"] = list(entries)


def _label(config: dict[str, Any], text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(text))}


def _expose(config: dict[str, Any], text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in _words(text):
        port, _, protocol = word.partition("/")
        low, _, high = port.partition("-")
        if not all(
            part.isascii() and part.isdigit() and 0 < int(part[:6]) < 65536 for part in (low, high or low)
        ):
            raise ValueError(f"{word!r} is no port")
        if protocol.lower() not in ("", "tcp", "udp", "sctp"):
            raise ValueError(f"{word!r}: the protocol is tcp, udp or sctp")
        for number in range(int(low), int(high or low) + 1):
            ports[f"{number}/{protocol.lower() or 'tcp'}"] = {}
    config["ExposedPorts"] = ports


def _volume(config: dict[str, Any], text: str) -> None:
    paths = _command(text) if text.startswith("[") else _words(text)
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in paths}}


def _user(config: dict[str, Any], text: str) -> None:
    config["User"] = text


def _workdir(config: dict[str, Any], text: str) -> None:
    old = config.get("WorkingDir") or "/"
    config["WorkingDir"] = text if text.startswith("/") else f"{old.rstrip('/')}/{text}"


def _stopsignal(config: dict[str, Any], text: str) -> None:
    config["StopSignal"] = text


def _onbuild(config: dict[str, Any], text: str) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or ()), text]


def _shell(config: dict[str, Any], text: str) -> None:
    if not text.startswith("["):
        raise ValueError("a shell is a JSON list")
    config["Shell"] = _command(text)


_INSTRUCTIONS: dict[str, Callable[[dict[str, Any], str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stopsignal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
