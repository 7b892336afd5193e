"""The generated check and the jsonschema reference are two forms of one schema."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocispec
from ocispec import generate, reference, schema
from ocispec._generated import accepts

Documents = Callable[[str], st.SearchStrategy[Any]]
SOURCE_ROOT = Path(ocispec.__file__).resolve().parent.parent


@pytest.mark.parametrize("kind", generate.GENERATED_KINDS)
def test_same_verdict(kind: str, documents: Documents) -> None:
    """Both say yes, or both say no, to whatever document hypothesis comes up with."""
    verdicts = set()

    @given(documents(kind))
    def compare(document: Any) -> None:
        verdict = accepts(kind, document)
        verdicts.add(verdict)
        assert verdict == (not reference.schema_problems(document, kind))

    compare()
    assert verdicts == {True, False}, "the strategy must reach both verdicts"


def test_same_verdict_property_by_property(single_changes: list[Any]) -> None:
    """Both agree when each property of the full document in turn is given odd values."""
    for document in single_changes:
        assert accepts("config", document) == (not reference.schema_problems(document)), document


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_problem_has_words(kind: str, documents: Documents) -> None:
    """The reference finds words of one line and a section for every refusal, of every kind of document."""
    texts = set()

    @given(documents(kind))
    def check(document: Any) -> None:
        for problem in reference.problems(document, kind):
            texts.add(problem.message)
            assert problem.message and "\n" not in str(problem)
            assert ".md#" in problem.section or "NUL" in problem.message or "surrogate" in problem.message

    check()
    assert texts


@pytest.mark.parametrize(
    "value",
    [None, [], "x", 1, True, {}, {"ociVersion": "1.0.0"}, {"ociVersion": "1.0.0", "root": None}],
)
def test_not_a_configuration(value: object) -> None:
    """Neither takes a JSON value that is no configuration at all."""
    assert not accepts("config", value)
    assert reference.problems(value)


@pytest.mark.parametrize("number", [True, 1.0, 1.5, "1", None])
def test_only_integers_are_integers(number: object, basic: Any) -> None:
    """A bool, a float without fraction and a string are no integers, in both."""
    basic["process"]["user"]["uid"] = number
    assert not accepts("config", basic)
    text = str(reference.problems(basic)[0])
    assert text.startswith("/process/user/uid: must be an integer")


def test_generated_is_current() -> None:
    """The generated module is what the schemas say; else run `python -m ocispec.generate spec/ocispec`."""
    assert (SOURCE_ROOT / "ocispec" / "_generated.py").read_text() == generate.source()


def test_generated_is_written_where_asked(tmp_path: Path) -> None:
    """The build writes the module into any directory and learns its path."""
    path = generate.write(str(tmp_path))
    assert Path(path) == tmp_path / "_generated.py"
    assert Path(path).read_text() == generate.source()


def test_generated_is_lean() -> None:
    """The generated module has no import but our formats, no texts and no patterns."""
    code = generate.source()
    imports = [line for line in code.splitlines() if "import" in line]
    assert imports == ["from ocispec import formats"]
    for word in ("must be", "Decimal", "re.compile", "isinstance", "JsonSchema", "locals("):
        assert word not in code


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"minimum": 1}, "'minimum' without type 'integer'"),
        ({"type": ["object", "null"], "required": ["x"]}, "'required' without type 'object'"),
        (
            {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
            "both properties and",
        ),
    ],
)
def test_generator_refuses_what_it_would_get_wrong(
    node: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A schema outside the subset that the cutting down is right for stops the build."""
    monkeypatch.setattr(schema, "bundle", lambda kind: {"type": "object", "properties": {"x": node}})
    with pytest.raises(ValueError, match=message):
        generate.source()


def test_start_up_imports(tmp_path: Path) -> None:
    """Loading a configuration imports nothing but ocispec, and no other module than built-in ones."""
    (tmp_path / "config.json").write_text(json.dumps({"ociVersion": "1.3.0", "root": {"path": "rootfs"}}))
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE_ROOT)!r}); before = set(sys.modules);"
        f"from ocispec.config import load_config; load_config({str(tmp_path)!r});"
        "print(*sorted(set(sys.modules) - before - set(sys.builtin_module_names)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    modules = set(done.stdout.split())
    assert {
        name for name in modules if name != "__future__" and not name.startswith(("ocispec", "_json"))
    } == set()
    assert modules & {"ocispec.reference", "ocispec.schema", "ocispec.generate", "ocispec.types"} == set()
