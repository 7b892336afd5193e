"""Loads config.json: parse, drop nulls, check against the generated schema, then against the rules.

The verdict comes from code generated when the package was built; only a document that is refused loads
jsonschema (`ocispec.reference`), to name everything that is wrong with it.
"""

from __future__ import annotations

import posix

from ocispec import jsontext, rules
from ocispec._generated import accepts
from ocispec.errors import InvalidConfig, InvalidJSON, Problem, UnreadableConfig

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ocispec.types import Config, Process, Resources

_S_IFMT, _S_IFREG, _S_IFDIR = 0o170000, 0o100000, 0o040000
# Objects whose names are data. There null is not "absent": Go reads it as an empty value, which would move
# a network device or empty a kernel parameter without anybody having asked for it, so it is refused.
_MAPS = frozenset(("annotations", "sysctl", "unified", "timeOffsets", "rdma", "netDevices"))


def load_config(bundle: str, file: str | None = None) -> Config:
    """The valid configuration of the bundle in this directory, or in this file instead of its config.json.

    Raises: UnreadableConfig, InvalidJSON, InvalidConfig, all of them naming the file.
    Spec: bundle.md
    """
    path = file or f"{bundle}/config.json"
    data = read_file(path)
    try:
        return parse_config(data)
    except InvalidJSON as error:
        raise InvalidJSON(f"{path}: {error}") from error
    except InvalidConfig as error:
        error.path = path
        raise


def parse_config(data: bytes) -> Config:
    """The valid configuration in this JSON text.

    Unknown members stay; members whose value is null are gone, as if they had not been written.

    Raises: InvalidJSON, InvalidConfig.
    """
    config: Config = _parse("config", data)
    return config


def parse_process(data: bytes) -> Process:
    """The valid process object in this JSON text, such as `exec --process` is given.

    Raises: InvalidJSON, InvalidConfig; pointers start at the process.
    """
    process: Process = _parse("process", data)
    return process


def parse_resources(data: bytes) -> Resources:
    """The valid resources object in this JSON text, such as `update --resources` is given.

    Raises: InvalidJSON, InvalidConfig; pointers start at the resources.
    """
    resources: Resources = _parse("resources", data)
    return resources


def check(kind: str, document: object) -> None:
    """Nothing is wrong with this config, process or resources object, built in Python, without nulls.

    Raises: InvalidConfig.
    """
    if not accepts(kind, document):
        from ocispec import reference

        raise InvalidConfig(reference.problems(document, kind))
    found = list(rules.problems(kind, document))
    if found:
        raise InvalidConfig(found)


def read_file(path: str) -> bytes:
    """The content of a regular file of at most jsontext.MAX_BYTES.

    Raises: UnreadableConfig.
    """
    try:
        # Not blocking: a FIFO in place of the file must not hang its reader.
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK | posix.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableConfig(f"open {path}: {reason}") from error
    try:
        status = posix.fstat(fd)
        if status.st_mode & _S_IFMT != _S_IFREG:
            kind = "a directory" if status.st_mode & _S_IFMT == _S_IFDIR else "not a regular file"
            raise UnreadableConfig(f"read {path}: is {kind}")
        if status.st_size > jsontext.MAX_BYTES:
            raise UnreadableConfig(f"read {path}: {status.st_size} bytes are more than {jsontext.MAX_BYTES}")
        chunks = []
        while chunk := posix.read(fd, 1 << 16):
            chunks.append(chunk)
        return b"".join(chunks)
    except OSError as error:
        raise UnreadableConfig(f"read {path}: {error.strerror}") from error
    finally:
        posix.close(fd)


def without_nulls(document: Any) -> Any:
    """The same objects, with their null members deleted; entries of maps and lists keep theirs.

    Callers written in Go write null for what is not set, and read it so.
    """
    _drop_nulls(document, False)
    return document


def _parse(kind: str, data: bytes) -> Any:
    document = jsontext.loads(data)
    try:
        if b"null" in data:
            without_nulls(document)
        # Escapes are the only way to NUL and to half a surrogate pair, so most documents need no walk.
        if b"\\u0000" in data or b"\\ud" in data or b"\\uD" in data:
            found = list(rules.string_problems(document))
            if found:
                raise InvalidConfig(found)
        check(kind, document)
    except RecursionError as error:
        raise InvalidConfig([Problem("", "nested too deeply")]) from error
    return document


def _drop_nulls(value: Any, is_map: bool) -> None:
    if isinstance(value, dict):
        if not is_map:
            for key in [key for key, item in value.items() if item is None]:
                del value[key]
        for key, item in value.items():
            _drop_nulls(item, not is_map and key in _MAPS)
    elif isinstance(value, list):
        for item in value:
            _drop_nulls(item, False)
