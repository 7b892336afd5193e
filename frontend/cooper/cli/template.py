"""``--format``: the part of Go's text/template that people use with docker and podman.

``{{.Name}}``, ``{{.State.Health.Status}}``, ``{{json .}}``, ``{{index .Labels "x"}}``, ``{{range .Mounts}}..{{else}}..{{end}}``,
``{{range $key, $value := .Labels}}``, ``{{if eq .State "running"}}..{{else if}}..{{else}}..{{end}}``, ``{{with}}``, pipes, ``{{-`` and
``-}}``, and the functions of FUNCTIONS. A name that is not there is an error, so that typing mistakes show.
"""

from __future__ import annotations

import re

from cooper.errors import UsageError
from ocispec import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

_ACTION = re.compile(r"\{\{(-\s)?\s*(.*?)\s*(\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|`[^`]*`)|(?P<number>-?\d+)|(?P<mark>[()|]|:=|,)|(?P<name>[$.]?[\w.$-]*))"""
)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def go_text(value: object) -> str:
    """A value as Go prints it."""
    if value is True or value is False:
        return "true" if value else "false"
    if value is None:
        return "<no value>"
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(item)}' for key, item in sorted(value.items()))}]"
    if isinstance(value, (list, tuple)):
        return f"[{' '.join(go_text(item) for item in value)}]"
    return str(value)


def _plain(value: Any) -> Any:
    """A row without what is only there to be called."""
    return (
        {key: item for key, item in value.items() if not callable(item)} if isinstance(value, dict) else value
    )


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key, "")
        elif isinstance(value, (list, tuple)) and isinstance(key, int) and -1 < key < len(value):
            value = value[key]
        else:
            raise UsageError(f"--format: there is no element {key!r}")
    return value


_VERB = re.compile(r"%([-+ 0#]*\d*(?:\.\d+)?)([vsdqtx%])")


def _printf(form: str, *values: Any) -> str:
    """The verbs that make sense here: %v %s %d %q %t %x, with widths."""
    rest = list(values)

    def one(match: re.Match[str]) -> str:
        if match[2] == "%":
            return "%"
        value = rest.pop(0)
        if match[2] in "dx":
            return f"%{match[1]}{match[2]}" % int(value)
        text = go_text(value)
        return f"%{match[1]}s" % (jsontext.dumps(text) if match[2] == "q" else text)

    return _VERB.sub(one, form)


def _slice(value: Any, start: int = 0, end: int | None = None) -> Any:
    return value[start:end]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "json": lambda value: jsontext.dumps(_plain(value)),
    "index": _index,
    "slice": _slice,
    "len": len,
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "title": lambda text: text.title(),
    "join": lambda values, separator: separator.join(map(go_text, values)),
    "split": lambda text, separator: text.split(separator),
    "truncate": lambda text, size: text[:size],
    "println": lambda *values: " ".join(map(go_text, values)) + "\n",
    "print": lambda *values: "".join(map(go_text, values)),
    "printf": _printf,
    "eq": lambda first, *others: any(first == other for other in others),
    "ne": lambda one, other: one != other,
    "lt": lambda one, other: one < other,
    "le": lambda one, other: one <= other,
    "gt": lambda one, other: one > other,
    "ge": lambda one, other: one >= other,
    "not": lambda value: not value,
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "or": lambda *values: next((value for value in values if value), values[-1]),
}


class Template:
    """A template that was read. Raises: UsageError for one that is wrong."""

    def __init__(self, text: str) -> None:
        text = text.replace("\\t", "\t").replace("\\n", "\n")
        self._pieces: list[tuple[str, str]] = []
        position = 0
        trim = False
        for match in _ACTION.finditer(text):
            before = text[position : match.start()]
            if trim:
                before = before.lstrip()
            if match[1]:
                before = before.rstrip()
            self._pieces += [("text", before), ("action", match[2])]
            position, trim = match.end(), bool(match[3])
        rest = text[position:]
        self._pieces.append(("text", rest.lstrip() if trim else rest))
        self._position = 0
        self._tree, end = self._block()
        if end:
            raise UsageError(f"--format: {{{{{end}}}}} without a beginning")

    def _block(self) -> tuple[list[Any], str]:
        """The nodes up to an `else` or `end`, which is returned."""
        nodes: list[Any] = []
        while self._position < len(self._pieces):
            kind, text = self._pieces[self._position]
            self._position += 1
            if kind == "text":
                nodes.append(text)
                continue
            word, _, rest = text.partition(" ")
            if word == "end" or word == "else":
                return nodes, text
            if word in ("range", "if", "with"):
                nodes.append(self._branches(word, rest))
            elif not text.startswith("/*"):
                nodes.append(("print", _tokens(text)))
        return nodes, ""

    def _branches(self, word: str, condition: str) -> tuple[str, list[tuple[str, str]], list[Any], list[Any]]:
        body, end = self._block()
        otherwise: list[Any] = []
        if end.startswith("else if "):
            otherwise = [self._branches("if", end.removeprefix("else if "))]
        elif end == "else":
            otherwise, end = self._block()
            if end != "end":
                raise UsageError(f"--format: {word} has no end")
        elif end != "end":
            raise UsageError(f"--format: {word} has no end")
        return word, _tokens(condition), body, otherwise

    def render(self, value: object) -> str:
        """The text for one value."""
        try:
            return "".join(_render(self._tree, value, {"$": value}))
        except UsageError:
            raise
        except (TypeError, ValueError, AttributeError, IndexError, KeyError) as error:
            raise UsageError(f"--format: {error}") from error


def _tokens(text: str) -> list[tuple[str, str]]:
    tokens: list[tuple[str, str]] = []
    position = 0
    while position < len(text.rstrip()):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position or match.lastgroup is None or not match[match.lastgroup]:
            raise UsageError(f"--format: cannot read {text[position:]!r}")
        kind, token = match.lastgroup, match[match.lastgroup]
        if tokens and tokens[-1] == ("mark", ")") and token.startswith(".") and match.start(kind) == position:
            kind = "field"  # of what stands in the parentheses
        tokens.append((kind, token))
        position = match.end()
    return tokens


def _render(nodes: list[Any], dot: Any, variables: dict[str, Any]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif node[0] == "print":
            tokens = node[1]
            if len(tokens) > 2 and tokens[1] == ("mark", ":="):
                variables[tokens[0][1]] = _evaluate(tokens[2:], dot, variables)
            else:
                yield go_text(_evaluate(tokens, dot, variables))
        elif node[0] == "range":
            yield from _range(node, dot, variables)
        else:
            value = _evaluate(node[1], dot, variables)
            inner = value if node[0] == "with" and value else dot
            yield from _render(node[2] if value else node[3], inner, dict(variables))


def _range(node: Any, dot: Any, variables: dict[str, Any]) -> Iterator[str]:
    tokens = node[1]
    names: list[str] = []
    if ("mark", ":=") in tokens:
        split = tokens.index(("mark", ":="))
        names = [text for kind, text in tokens[:split] if kind == "name"]
        tokens = tokens[split + 1 :]
    value = _evaluate(tokens, dot, variables) or []
    items = sorted(value.items()) if isinstance(value, dict) else list(enumerate(value))
    if not items:
        yield from _render(node[3], dot, variables)
    for key, item in items:
        inner = dict(variables)
        for name, bound in zip(names, (key, item) if len(names) == 2 else (item,), strict=False):
            inner[name] = bound
        yield from _render(node[2], item, inner)


def _evaluate(tokens: list[tuple[str, str]], dot: Any, variables: dict[str, Any]) -> Any:
    """A pipeline: each command's value is the last argument of the next."""
    piped: list[Any] = []
    rest = list(tokens)
    while True:
        value = _command(rest, dot, variables, piped)
        if not rest or rest[0] != ("mark", "|"):
            return value
        del rest[0]
        piped = [value]


def _command(rest: list[tuple[str, str]], dot: Any, variables: dict[str, Any], piped: list[Any]) -> Any:
    if not rest:
        raise UsageError("--format: an empty action")
    kind, text = rest[0]
    if kind == "name" and text in FUNCTIONS:
        del rest[0]
        arguments = list(_operands(rest, dot, variables))
        return FUNCTIONS[text](*arguments, *piped)
    operands = list(_operands(rest, dot, variables))
    if callable(operands[0]):
        return operands[0](*operands[1:], *piped)
    if len(operands) > 1 or piped:
        raise UsageError(f"--format: {text} is no function")
    return operands[0]


def _operands(rest: list[tuple[str, str]], dot: Any, variables: dict[str, Any]) -> Iterator[Any]:
    while rest and rest[0] not in (("mark", "|"), ("mark", ")")):
        kind, text = rest.pop(0)
        if kind == "string":
            yield (
                text[1:-1]
                if text[0] == "`"
                else re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
            )
        elif kind == "number":
            yield int(text)
        elif (kind, text) == ("mark", "("):
            depth, inner = 1, []
            while rest:
                token = rest.pop(0)
                depth += {"(": 1, ")": -1}.get(token[1], 0) if token[0] == "mark" else 0
                if not depth:
                    break
                inner.append(token)
            value = _evaluate(inner, dot, variables)
            if rest and rest[0][0] == "field":
                value = _field(rest.pop(0)[1], value, variables)
            yield value
        elif text in ("true", "false"):
            yield text == "true"
        elif text == "nil":
            yield None
        else:
            yield _field(text, dot, variables)


def _field(text: str, dot: Any, variables: dict[str, Any]) -> Any:
    if text.startswith("$"):
        name, _, path = text.partition(".")
        if name not in variables:
            raise UsageError(f"--format: there is no variable {name}")
        value = variables[name]
    elif text.startswith("."):
        value, path = dot, text[1:]
    else:
        raise UsageError(f"--format: there is no function {text}")
    for name in path.split(".") if path else ():
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, dict):
            known = ", ".join(sorted(str(key) for key in value)[:40])
            raise UsageError(f"--format: there is no .{name} (there are: {known})")
        else:
            raise UsageError(f"--format: {go_text(value)!r} has no .{name}")
    return value


def print_rows(rows: list[dict[str, Any]], form: str, columns: dict[str, str], quiet_key: str = "") -> None:
    """Rows as a table of the columns (key -> title), or as ``--format`` asks: ``json``, ``table TEMPLATE``, TEMPLATE."""
    from cooper.cli.output import STDOUT, print_line, table, write

    if quiet_key:
        write(STDOUT, "".join(f"{row[quiet_key]}\n" for row in rows))
    elif form == "json":
        for row in rows:
            print_line(jsontext.dumps(_plain(row)))
    elif form in ("", "table"):
        write(STDOUT, table(list(columns.values()), [[str(row[key]) for key in columns] for row in rows]))
    elif form.startswith("table "):
        template = Template(form.removeprefix("table ").strip())
        titles = {key: columns.get(key, _title(key)) for key in {**columns, **(rows[0] if rows else {})}}
        titles["Label"] = lambda name: name  # type: ignore[assignment]
        lines = [template.render(row).split("\t") for row in rows]
        write(STDOUT, table(template.render(titles).split("\t"), lines))
    else:
        template = Template(form)
        for row in rows:
            print_line(template.render(row))


def _title(key: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", key).upper()
