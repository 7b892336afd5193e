"""Valid documents to start from, and hypothesis strategies drawn from the schemas themselves."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st

from ocispec import config, schema

CORPUS = Path(__file__).parent / "corpus"
# Values that sit on or beyond the edges of what some property takes.
ODD_VALUES: list[Any] = [
    *(None, True, False, 0, -1, -2, 1, 6, 8, 100, 101, 1001, 65536, 2**31, 2**32 - 2, 2**32 - 1, 2**32),
    *(2**63 - 1, 2**63, 2**64 - 1, 2**64, -(2**63) - 1, 0.0, 1.0, 1.5, -1000, -1001),
    *(
        "",
        "/",
        "x",
        "/a\nb",
        "1.2.3",
        "2.0.0",
        "a",
        "rw",
        "rr",
        "3MB",
        "0-3,7",
        "7-3",
        "MB:0=1",
        "SCMP_ACT_KILL",
    ),
    *([], [None], ["x"], [""], [1], {}, {"": ""}, {"x": None}, {"x": "y"}, {"path": "/x"}),
]
DELETE = object()
# The fewer ones that every property in turn is given.
SWEPT_VALUES: list[Any] = [
    *(DELETE, None, True, -2, 0, 6, 101, 65536, 2**32 - 1, 2**63, 2**64, 1.0),
    *("", "x", "3TB", [], ["x"], {}, {"": 1}),
]
FORMAT_EXAMPLES = {
    "semver": ["1.0.0", "0.2.0", "3.1.4-rc.1+build.5"],
    "oci-version": ["1.0.0", "1.0.2-dev", "1.3.0+dev", "1.99.0-rc.2"],
    "absolute-path": ["/", "/dev/x", "/a b"],
    "optional-absolute-path": ["", "/proc/1/ns/net"],
    "number-list": ["", "0", "0-3,7", "12-12"],
    "device-access": ["", "r", "wm", "rwm"],
    "hugepage-size": ["64KB", "2MB", "1GB"],
    "clos-id": ["/", "group"],
    "line": ["", "L3:0=7f0"],
    "memory-bandwidth-schema": ["MB:0=20"],
}


def corpus(name: str) -> Any:
    """A configuration of the corpus as the loader sees it, nulls gone."""
    return config.without_nulls(json.loads((CORPUS / f"{name}.json").read_bytes()))


@pytest.fixture
def full() -> Any:
    """A valid configuration that uses every property of the specification."""
    return corpus("every-property")


@pytest.fixture
def basic() -> Any:
    """What the spec command prints: valid, and with the usual namespaces."""
    return corpus("spec-command")


@pytest.fixture(scope="session")
def documents() -> Callable[[str], st.SearchStrategy[Any]]:
    """A strategy for documents of a kind: most are valid by the schema, many are off by one change."""

    def strategy(kind: str) -> st.SearchStrategy[Any]:
        bundle = schema.bundle(kind)
        drawn = _values(bundle, bundle)
        if kind == "config":
            drawn |= st.sampled_from(sorted(path.stem for path in CORPUS.glob("*.json"))).map(corpus)
        return drawn | _mutated(drawn)

    return strategy


@pytest.fixture(scope="session")
def single_changes() -> list[Any]:
    """Thousands of documents, each with one property of the full one changed or removed.

    They are cut down to the branch that has the property, to be quick to check.
    """
    full = corpus("every-property")
    found = []
    for path in _places(full):
        cut = _branch(full, path)
        for value in SWEPT_VALUES:
            document = copy.deepcopy(cut)
            parent = document
            for key in path[:-1]:
                parent = parent[key]
            if value is DELETE:
                del parent[path[-1]]
            else:
                parent[path[-1]] = value
            found.append(document)
    return found


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all members and items, the document itself left out."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path] * bool(path) + [place for key, item in items for place in _places(item, (*path, key))]


def _branch(full: Any, path: tuple[Any, ...]) -> Any:
    """The required members of the document, and what the path leads to in it and in its big objects."""
    cut: Any = {key: full[key] for key in ("ociVersion", "root", path[0])}
    if path[0] == "linux" and len(path) > 1:
        cut["linux"] = {path[1]: full["linux"][path[1]]}
        if path[1] == "resources" and len(path) > 2:
            cut["linux"] = {"resources": {path[2]: full["linux"]["resources"][path[2]]}}
    if path[0] == "process" and len(path) > 1:
        cut["process"] = {key: full["process"][key] for key in ("cwd", "args", path[1])}
    return cut


def _values(node: dict[str, Any], bundle: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "$ref" in node:
        target = schema.definition(bundle, node["$ref"])
        return st.deferred(lambda: _values(target, bundle))
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kinds = node["type"] if isinstance(node["type"], list) else [node["type"]]
    return st.one_of([_of_type(kind, node, bundle) for kind in kinds])


def _of_type(kind: str, node: dict[str, Any], bundle: dict[str, Any]) -> st.SearchStrategy[Any]:
    if kind == "null":
        return st.none()
    if kind == "boolean":
        return st.booleans()
    if kind == "integer":
        low, high = node["minimum"], node["maximum"]
        return st.sampled_from([low, high]) | st.integers(low, high)
    if kind == "string":
        if "format" in node:
            return st.sampled_from(FORMAT_EXAMPLES[node["format"]])
        return st.text(min_size=node.get("minLength", 0), max_size=8)
    if kind == "array":
        items = _values(node["items"], bundle) if "items" in node else st.nothing()
        return st.lists(items, min_size=node.get("minItems", 0), max_size=node.get("maxItems", 2))
    if "additionalProperties" in node:
        return st.dictionaries(st.text(max_size=8), _values(node["additionalProperties"], bundle), max_size=2)
    members = {name: _values(member, bundle) for name, member in node["properties"].items()}
    required = {name: members.pop(name) for name in node.get("required", ())}
    return st.fixed_dictionaries(required, optional=members)


@st.composite
def _mutated(draw: st.DrawFn, documents: st.SearchStrategy[Any]) -> Any:
    """A document with one member, item or itself replaced, removed, or moved by one."""
    document = copy.deepcopy(draw(documents))
    places: list[tuple[Any, Any]] = []
    todo = [document]
    while todo:
        value = todo.pop()
        keys: list[Any] = list(value) if isinstance(value, dict) else []
        if isinstance(value, list):
            keys = list(range(len(value)))
        for key in keys:
            places.append((value, key))
            todo.append(value[key])
    if not places:
        return draw(st.sampled_from(ODD_VALUES))
    parent, key = draw(st.sampled_from(places))
    change = draw(st.sampled_from(["replace", "remove", "step"]))
    if change == "remove":
        del parent[key]
    elif change == "step" and type(parent[key]) is int:
        parent[key] += draw(st.sampled_from([-1, 1]))
    else:
        parent[key] = copy.deepcopy(draw(st.sampled_from(ODD_VALUES)))
    return document
