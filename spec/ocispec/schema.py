"""Our JSON Schemas, put together from the files in schemas/.

The dialect is draft-04, deliberately: there an integer is never written 1.0 and never a bool, which is
also what the Go programs that write these documents accept, and both validators implement it natively.
"""

from __future__ import annotations

import json
import os
from typing import Any

KINDS = ("config", "process", "resources", "state", "features")

_DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "schemas")


def bundle(kind: str) -> dict[str, Any]:
    """One self-contained schema for documents of this kind, every `$ref` in it local.

    `process` and `resources` are parts of config.json that also stand alone: the process of `exec` and
    the input of `update`. Definitions keep their names, which are unique over all the files.

    Raises: ValueError for an unknown kind, or when two files define the same name.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind of document: {kind!r}, known are {', '.join(KINDS)}")
    files = {name: _read(name) for name in sorted(os.listdir(_DIRECTORY)) if name.endswith(".json")}
    definitions: dict[str, Any] = {}
    for name, content in files.items():
        for key, definition in content.get("definitions", {}).items():
            if key in definitions:
                raise ValueError(f"schemas/{name} defines {key!r} a second time")
            definitions[key] = definition
    root = files.get(f"{kind}.json", {})
    if "type" not in root:
        root = {"$schema": root["$schema"], **definitions[kind]} if root else definitions[kind]
    return {**root, "definitions": definitions}


def definition(schema: dict[str, Any], reference: str) -> dict[str, Any]:
    """What a local `$ref` of a bundled schema points to."""
    found: dict[str, Any] = schema["definitions"][reference.rpartition("/")[2]]
    return found


def _read(name: str) -> dict[str, Any]:
    with open(os.path.join(_DIRECTORY, name), encoding="utf-8") as file:
        content: dict[str, Any] = json.load(file, object_hook=_localised)
    return content


def _localised(node: dict[str, Any]) -> dict[str, Any]:
    """A node whose `$ref` no longer names a file."""
    if "$ref" in node:
        return {"$ref": "#" + node["$ref"].partition("#")[2]}
    return node
