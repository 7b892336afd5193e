"""The slow, complete check with jsonschema: all problems of a document, in words."""

from __future__ import annotations

import functools
from typing import Any, cast

import jsonschema
from jsonschema.exceptions import ValidationError

from ocispec import rules, schema
from ocispec.errors import Problem, pointer
from ocispec.formats import FORMATS

_TYPES = {
    "object": "an object",
    "array": "an array",
    "string": "a string",
    "boolean": "true or false",
    "integer": "an integer",
    "null": "null",
}
_PYTHON_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),
    (int, "an integer"),
    (float, "a number with a fraction or an exponent"),
    (str, "a string"),
    (list, "an array"),
    (dict, "an object"),
)
_MAX_SHOWN = 60


def problems(document: Any, kind: str = "config") -> list[Problem]:
    """Everything that is wrong with the document, in the order of its fields; empty when it is valid.

    The rules between fields are looked at when the fields by themselves are right. `kind` is one of
    schema.KINDS. Nulls count: a file should be read with ocispec.config or pass its without_nulls.
    """
    found = schema_problems(document, kind)
    return found or [*rules.string_problems(document), *rules.problems(kind, document)]


def schema_problems(document: Any, kind: str = "config") -> list[Problem]:
    """What the schema alone says."""
    validator = _validator(kind)
    bundle = cast(dict[str, Any], validator.schema)
    return [_problem(bundle, error) for error in validator.iter_errors(document)]


@functools.cache
def _validator(kind: str) -> jsonschema.Draft4Validator:
    checker = jsonschema.FormatChecker(formats=())
    for name, (accepts, _) in FORMATS.items():
        checker.checks(name)(lambda value, accepts=accepts: not isinstance(value, str) or accepts(value))
    return jsonschema.Draft4Validator(schema.bundle(kind), format_checker=checker)


def _problem(bundle: dict[str, Any], error: ValidationError) -> Problem:
    at = pointer(*error.absolute_path)
    section = _section(bundle, list(error.absolute_schema_path))
    keyword, limit = str(error.validator), cast(Any, error.validator_value)
    if keyword == "required":
        # jsonschema reports each missing name by itself, but only in its text.
        name = next(name for name in limit if error.message.startswith(repr(name)))
        return Problem(at + pointer(name), "is required", section)
    return Problem(at, _text(keyword, limit, error.instance), section)


def _text(keyword: str, limit: Any, value: Any) -> str:
    if keyword == "type":
        wanted = " or ".join(_TYPES[name] for name in ([limit] if isinstance(limit, str) else limit))
        return f"must be {wanted}, is {_kind(value)}"
    if keyword == "enum":
        return f"must be one of {', '.join(limit)}, is {_shown(value)}"
    if keyword == "minimum":
        return f"must be at least {limit}, is {_shown(value)}"
    if keyword == "maximum":
        return f"must be at most {limit}, is {_shown(value)}"
    if keyword in ("minItems", "minLength"):
        return "must not be empty"
    if keyword == "maxItems":
        return "must be empty"
    if keyword == "format":
        return f"{FORMATS[limit][1]}, is {_shown(value)}"
    raise ValueError(f"no words for the schema keyword {keyword!r}")


def _kind(value: object) -> str:
    return next((words for kind, words in _PYTHON_TYPES if isinstance(value, kind)), "null")


def _shown(value: object) -> str:
    """A value short enough for one line."""
    if isinstance(value, (dict, list)):
        return _kind(value)
    if isinstance(value, int) and abs(value) > 10**_MAX_SHOWN:
        return "a far larger number" if value > 0 else "a far smaller number"
    text = ascii(value)[1:-1] if isinstance(value, str) else str(value)
    text = text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
    return f'"{text}"' if isinstance(value, str) else text


def _section(bundle: dict[str, Any], path: list[str | int]) -> str:
    """The section named closest to the keyword, walking down from the root through every `$ref`."""
    section = ""
    node: Any = bundle
    for part in path:
        node = node[part]
        while isinstance(node, dict) and "$ref" in node:
            node = schema.definition(bundle, node["$ref"])
        if isinstance(node, dict):
            section = node.get("x-spec", section)
    return section or str(bundle.get("x-spec", ""))
