"""JSON read and written on CPython's C scanner and encoder alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ocispec
from ocispec import jsontext
from ocispec.errors import InvalidJSON

SOURCE_ROOT = Path(ocispec.__file__).resolve().parent.parent
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES, st.sampled_from([None, 0, 2, 4]))
def test_round_trip(value: object, indent: int | None) -> None:
    """What is written reads back the same, here and with the json package, and is ASCII."""
    text = jsontext.dumps(value, indent)
    assert text.isascii()
    assert jsontext.loads(text.encode()) == value == json.loads(text)


@given(VALUES)
def test_indented_as_json_does(value: object) -> None:
    """Indented text is laid out as the json package lays it out."""
    assert jsontext.dumps(value, 4) == json.dumps(value, indent=4)


def test_compact_form() -> None:
    """Without indent: one line, no spaces, names in their order."""
    assert (
        jsontext.dumps({"b": [1, None, True], "a": {"x": "\u00e9\n"}})
        == r'{"b":[1,null,true],"a":{"x":"\u00e9\n"}}'
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b' \n\t\r{"a": 1} \n', {"a": 1}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b"18446744073709551616", 2**64),
        (b"-0", 0),
        (b'{"a": 1, "a": {"b": 2}, "a": 3}', {"a": 3}),
        (b"1e2", 100.0),
        (b'"\x7f"', "\x7f"),
    ],
)
def test_accepted(text: bytes, value: object) -> None:
    """White space around it, surrogate pairs, huge integers; the last of two equal names counts."""
    assert jsontext.loads(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "expecting value at line 1 column 1"),
        (b"\xef\xbb\xbf{}", "expecting value at line 1 column 1"),
        (b'{"a": \xff}', "byte 6 is not UTF-8"),
        (b'"\xed\xa0\x80"', "byte 1 is not UTF-8"),
        (b"{} {}", "text after the end of the value at line 1 column 4"),
        (b"[1,\n2,\n  x]", "expecting value at line 3 column 3"),
        (b"{'a': 1}", "expecting property name enclosed in double quotes at line 1 column 2"),
        (b'{"a" 1}', "expecting ':' delimiter at line 1 column 6"),
        (b'{"a": 1', "expecting ',' delimiter at line 1 column 8"),
        (b'"abc', "unterminated string starting at line 1 column 1"),
        (b'"a\nb"', "invalid control character at line 1 column 3"),
        (b'"a\x00b"', "invalid control character at line 1 column 3"),
        (b'"\\x"', "invalid \\escape at line 1 column 2"),
        (b"[NaN]", "NaN is not JSON"),
        (b"-Infinity", "-Infinity is not JSON"),
        (b"1e999", "the number 1e999 is too large"),
        (b"01", "text after the end of the value at line 1 column 2"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"1" * 5000, "a number has too many digits"),
    ],
)
def test_refused(text: bytes, message: str) -> None:
    """Each refusal says what is wrong, and where when that is known."""
    with pytest.raises(InvalidJSON) as caught:
        jsontext.loads(text)
    assert str(caught.value) == message


def test_refused_in_a_bare_interpreter() -> None:
    """The C scanner needs json.decoder to report an error, which a bare interpreter has not loaded."""
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE_ROOT)!r})\n"
        "from ocispec import errors, jsontext\n"
        "try: jsontext.loads(b'{\"a\" 1}')\n"
        "except errors.InvalidJSON as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "expecting ':' delimiter at line 1 column 6\n"


def test_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes than the limit are not even decoded."""
    monkeypatch.setattr(jsontext, "MAX_BYTES", 4)
    assert jsontext.loads(b"1234") == 1234
    with pytest.raises(InvalidJSON, match="5 bytes are more than the 4"):
        jsontext.loads(b"\xff1234")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({"a": float("nan")}, ValueError),
        ([float("inf")], ValueError),
        ([b"x"], TypeError),
        ({b"a": 1}, TypeError),
    ],
)
def test_not_written(value: object, error: type[Exception], indent: int | None) -> None:
    """Values without a form in JSON are errors."""
    with pytest.raises(error):
        jsontext.dumps(value, indent)


@pytest.mark.parametrize("indent", [None, 2])
def test_cycle(indent: int | None) -> None:
    """A list within itself is an error, and does not spoil the writing of others."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested too deeply"):
        jsontext.dumps(endless, indent)
    assert jsontext.dumps([[]], indent)


def test_without_the_accelerator() -> None:
    """A Python without `_json` reads, refuses and writes the same through the json package."""
    code = (
        f"import sys; sys.path.insert(0, {str(SOURCE_ROOT)!r}); sys.modules['_json'] = None\n"
        "from ocispec import errors, jsontext\n"
        "print(jsontext.dumps(jsontext.loads(b' {\"a\": [1, null]} ')))\n"
        "print(jsontext.dumps({'a': [1]}, 1).split())\n"
        "for text in (b'[NaN]', b'[1 2]', b'[', b'1e999'):\n"
        "    try: jsontext.loads(text)\n"
        "    except errors.InvalidJSON as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == [
        '{"a":[1,null]}',
        """['{', '"a":', '[', '1', ']', '}']""",
        "NaN is not JSON",
        "expecting ',' delimiter at line 1 column 4",
        "expecting value at line 1 column 2",
        "the number 1e999 is too large",
    ]
