"""Writes ocispec/_generated.py, the check of config.json that commands run on every start.

fastjsonschema turns our schemas into Python when the package is built. Its code carries the texts and
bookkeeping of a general validator; here only the verdict counts (`ocispec.reference` writes the texts), so
the syntax tree is cut down to type tests and comparisons that need no import but `ocispec.formats`.

Run: python -m ocispec.generate DIRECTORY
"""

from __future__ import annotations

import ast
import copy
import os
import sys
from typing import Any

from ocispec import schema
from ocispec.formats import FORMATS

GENERATED_KINDS = ("config", "process", "resources")

_HEADER = '''\
"""Written by ocispec.generate from schemas/: do not edit."""
# ruff: noqa

from ocispec import formats


class Invalid(Exception):
    """Says no; `ocispec.reference` finds out why."""


def accepts(kind, document):
    """True when the document is valid by the schema of its kind."""
    try:
        {table}[kind](document)
    except Invalid:
        return False
    return True


'''
_GUARDS = ("_is_dict", "_is_list")
_PREFIX = "validate___definitions_"
_NEEDED_TYPE = {
    "properties": "object",
    "additionalProperties": "object",
    "required": "object",
    "items": "array",
    "minItems": "array",
    "maxItems": "array",
    "minimum": "integer",
    "maximum": "integer",
    "minLength": "string",
    "format": "string",
}


def source() -> str:
    """The text of the generated module.

    Raises: ValueError when a schema leaves the subset that the cutting down is right for.
    """
    # Only the build has it: not at the top, so that the tests can import this module to say so.
    import fastjsonschema

    bundle = schema.bundle("config")
    _check_subset(bundle, "config")
    code = fastjsonschema.compile_to_code(
        bundle,
        formats={name: check for name, (check, _) in FORMATS.items()},
        use_default=False,
        detailed_exceptions=False,
    )
    functions = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    kept = [_Cut(function).result for function in functions]
    table = "{" + ", ".join(f'"{kind}": check_{kind}' for kind in GENERATED_KINDS) + "}"
    return _HEADER.format(table=table) + "\n\n\n".join(map(ast.unparse, kept)) + "\n"


def write(directory: str) -> str:
    """`_generated.py` in this directory is up to date; returns its path."""
    path = os.path.join(directory, "_generated.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(source())
    return path


def _check_subset(node: Any, where: str) -> None:
    """Every keyword stands beside the one type it is for, so that the type test alone guards it."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            _check_subset(item, f"{where}[{index}]")
    if not isinstance(node, dict):
        return
    for keyword in _NEEDED_TYPE.keys() & node.keys():
        if node.get("type") != _NEEDED_TYPE[keyword] and not isinstance(node[keyword], dict):
            raise ValueError(f"schema {where}: {keyword!r} without type {_NEEDED_TYPE[keyword]!r}")
    if "properties" in node and "additionalProperties" in node:
        raise ValueError(f"schema {where}: both properties and additionalProperties")
    for key, value in node.items():
        _check_subset(value, f"{where}.{key}")


class _Cut(ast.NodeTransformer):
    """One function of fastjsonschema's, cut down to `def check_x(data)` that returns or raises Invalid."""

    def __init__(self, function: ast.FunctionDef) -> None:
        self.aliases: dict[str, ast.expr] = {}
        function.name = _short(function.name)
        function.args = ast.arguments([], [ast.arg("data")], None, [], [], None, [])
        self.result = ast.fix_missing_locations(self.generic_visit(function))

    def visit_Return(self, node: ast.Return) -> None:
        """The callers have the document already."""

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        return ast.Raise(ast.Name("Invalid", ast.Load()), None)

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """`keys.remove(name)` is bookkeeping for properties we do not restrict."""
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "remove":
            return None
        return self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST | None:
        """Names for what the variable beside them says already are replaced by that."""
        target = node.targets[0]
        assert isinstance(target, ast.Name)
        base, _, suffix = target.id.rpartition("_")
        variable = ast.Name(base, ast.Load())
        if suffix == "len":
            self.aliases[target.id] = ast.Call(ast.Name("len", ast.Load()), [variable], [])
        elif suffix == "keys" and target.id.endswith("_missing_keys"):
            self.aliases[target.id] = _lacks_any(node.value)
        elif suffix == "keys":
            self.aliases[target.id] = variable
        elif not target.id.endswith(_GUARDS):
            return self.generic_visit(node)
        return None

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return copy.deepcopy(self.aliases.get(node.id, node))

    def visit_If(self, node: ast.If) -> Any:
        """A guard that an earlier type test has made always true gives way to its body."""
        self.generic_visit(node)
        test = node.test
        proven = (
            (isinstance(test, ast.Name) and test.id.endswith(_GUARDS))
            or _is_call(test, "isinstance")
            or (isinstance(test, ast.BoolOp) and _is_call(test.values[0], "isinstance"))
            or (isinstance(test, ast.Compare) and ast.unparse(test).endswith(" not in []"))
        )
        return node.body if proven else node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """`type(x) is not int` excludes bool, which fastjsonschema tests for separately."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Or) and ast.unparse(node.values[-1]).endswith(", bool)"):
            return node.values[0]
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Documents come from a JSON scanner: their values are of exactly these types."""
        values = _enum_values(node.operand)
        if values:
            allowed = ast.Tuple([value.comparators[0] for value in values], ast.Load())
            return ast.Compare(values[0].left, [ast.NotIn()], [allowed])
        self.generic_visit(node)
        call = node.operand
        if not (isinstance(node.op, ast.Not) and isinstance(call, ast.Call) and _is_call(call, "isinstance")):
            return node
        kind = call.args[1].elts[0] if isinstance(call.args[1], ast.Tuple) else call.args[1]
        return ast.Compare(ast.Call(ast.Name("type", ast.Load()), [call.args[0]], []), [ast.IsNot()], [kind])

    def visit_For(self, node: ast.For) -> ast.AST:
        """Indices served the texts only."""
        self.generic_visit(node)
        if isinstance(node.iter, ast.Call) and _is_call(node.iter, "enumerate"):
            assert isinstance(node.target, ast.Tuple)
            node.target, node.iter = node.target.elts[1], node.iter.args[0]
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id.startswith("validate"):
            return ast.Call(ast.Name(_short(node.func.id), ast.Load()), node.args[:1], [])
        if isinstance(node.func, ast.Subscript) and isinstance(node.func.slice, ast.Constant):
            function = FORMATS[str(node.func.slice.value)][0].__name__
            node.func = ast.Attribute(ast.Name("formats", ast.Load()), function, ast.Load())
        return self.generic_visit(node)


def _short(name: str) -> str:
    return "check_" + (name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else "config")


def _is_call(node: ast.expr, function: str) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function


def _enum_values(test: ast.expr) -> list[ast.Compare]:
    """The comparisons in fastjsonschema's form of an enum of strings, or nothing for another test."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return [found for value in test.values for found in _enum_values(value)]
    if isinstance(test, ast.BoolOp) and isinstance(test.values[-1], ast.Compare):
        return [test.values[-1]]
    return []


def _lacks_any(difference: ast.expr) -> ast.expr:
    """`set(names) - x.keys()` as a chain of `name not in x`."""
    assert isinstance(difference, ast.BinOp) and isinstance(difference.left, ast.Call)
    assert isinstance(difference.right, ast.Call) and isinstance(difference.right.func, ast.Attribute)
    names, container = difference.left.args[0], difference.right.func.value
    assert isinstance(names, ast.List)
    tests: list[ast.expr] = [ast.Compare(name, [ast.NotIn()], [container]) for name in names.elts]
    return ast.BoolOp(ast.Or(), tests) if len(tests) > 1 else tests[0]


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m ocispec.generate DIRECTORY")
    print(write(sys.argv[1]))
