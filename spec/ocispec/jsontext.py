"""JSON without the json package, whose import of `re` costs more than a whole `state` command.

CPython's C scanner and encoder work alone; another Python falls back to the package.
"""

from __future__ import annotations

from ocispec.errors import InvalidJSON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 16 * 1024 * 1024
_SPACE = " \t\n\r"


def loads(data: bytes) -> object:
    """The value of one JSON text in UTF-8; a name given twice keeps its last value, as in Go.

    Numbers with a fraction or an exponent are floats, all others int, of any size up to 4300 digits.

    Raises: InvalidJSON for what is not UTF-8, not JSON (NaN, Infinity, a number too large for a float,
    anything after the value), nested too deeply, or longer than MAX_BYTES.
    """
    if len(data) > MAX_BYTES:
        raise InvalidJSON(f"{len(data)} bytes are more than the {MAX_BYTES} that are read")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidJSON(f"byte {error.start} is not UTF-8") from error
    start = len(text) - len(text.lstrip(_SPACE))
    try:
        value, end = _scan_reporting(text, start)
    except InvalidJSON:
        raise
    except StopIteration as error:
        raise InvalidJSON(f"expecting value {_place(text, error.value)}") from error
    except RecursionError as error:
        raise InvalidJSON("nested too deeply") from error
    except ValueError as error:  # JSONDecodeError, or an int beyond the interpreter's limit of digits
        place = _place(text, error.pos) if hasattr(error, "pos") else ""
        raise InvalidJSON(f"{_reason(error)} {place}".rstrip()) from error
    rest = text[end:].lstrip(_SPACE)
    if rest:
        raise InvalidJSON(f"text after the end of the value {_place(text, len(text) - len(rest))}")
    return value


def dumps(value: object, indent: int | None = None) -> str:
    """ASCII JSON text with the names in the order of the dicts; on one line without spaces, or indented.

    Raises: TypeError for a value that JSON has no form for; ValueError for NaN, infinity, or a value
    nested too deeply, or for ever.
    """
    try:
        return "".join(_codec().encode(value, 0)) if indent is None else _indented(value, " " * indent, "\n")
    except RecursionError as error:
        raise ValueError("nested too deeply for JSON") from error


def _scan_reporting(text: str, start: int) -> tuple[object, int]:
    """What the scanner finds, and its own exception for what it does not take."""
    try:
        return _codec().scan(text, start)
    except SystemError:
        # The scanner takes JSONDecodeError from the loaded modules (CPython 3.11), and returns NULL without.
        import json.decoder  # noqa: F401

        return _codec().scan(text, start)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"at line {line} column {column}"


def _reason(error: ValueError) -> str:
    if not hasattr(error, "msg"):
        return "a number has too many digits"
    reason = str(error.msg)
    return reason[:1].lower() + reason[1:].removesuffix(" at").removesuffix(":")


def _parse_float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise InvalidJSON(f"the number {digits[:32]} is too large")
    return value


def _parse_constant(name: str) -> float:
    raise InvalidJSON(f"{name} is not JSON")


class _Context:
    """What the C scanner reads its settings from."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = staticmethod(_parse_float)
    parse_int = int
    parse_constant = staticmethod(_parse_constant)


def _not_json(value: object) -> object:
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def _indented(value: object, step: str, newline: str) -> str:
    inner = newline + step
    if isinstance(value, dict) and value:
        members = [_key(key) + ": " + _indented(item, step, inner) for key, item in value.items()]
        return "{" + inner + ("," + inner).join(members) + newline + "}"
    if isinstance(value, (list, tuple)) and value:
        items = [_indented(item, step, inner) for item in value]
        return "[" + inner + ("," + inner).join(items) + newline + "]"
    return "".join(_codec().encode(value, 0))


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a name must be a string, is {type(key).__name__}")
    return _codec().quote(key)


class _Codec:
    """CPython's C functions, or the json package's."""

    __slots__ = ("scan", "encode", "quote")

    scan: Callable[[str, int], tuple[object, int]]
    encode: Callable[[object, int], tuple[str, ...]]
    quote: Callable[[str], str]

    def __init__(self) -> None:
        try:
            from _json import encode_basestring_ascii, make_encoder, make_scanner

            self.quote = encode_basestring_ascii
            self.scan = make_scanner(_Context)  # type: ignore[arg-type]
            self.encode = make_encoder(None, _not_json, self.quote, None, ":", ",", False, False, False)
        except ImportError:
            import json

            decoder = json.JSONDecoder(parse_float=_parse_float, parse_constant=_parse_constant)
            encoder = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=_not_json)
            self.quote = json.dumps
            self.scan = decoder.scan_once  # type: ignore[attr-defined]
            self.encode = lambda value, level: (encoder.encode(value),)


_loaded: list[_Codec] = []


def _codec() -> _Codec:
    """Loaded at its first use: it may be a shared object, which no snapshot of an interpreter can hold."""
    if not _loaded:
        _loaded.append(_Codec())
    return _loaded[0]
