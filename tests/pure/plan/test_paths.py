"""Paths of the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stave.plan.paths import clean, from_bundle


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/", "/"), ("", "/"), (".", "/"), ("..", "/"), ("//", "/"), ("/a", "/a"), ("a", "/a"), ("/a/", "/a"),
        ("/a/./b", "/a/b"), ("/a/../b", "/b"), ("/../a", "/a"), ("/a/b/../../..", "/"), ("/...", "/..."),
        ("/a b", "/a b"),
    ],
)  # fmt: skip
def test_clean(path: str, expected: str) -> None:
    """Paths are read from "/"."""
    assert clean(path) == expected


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "c.d"])).map("/".join))
def test_clean_paths_are_clean(path: str) -> None:
    """The result is absolute, has no part that leads anywhere else, and is cleaned to itself."""
    result = clean(path)
    assert result.startswith("/")
    assert not {"", ".", ".."} & set(result[1:].split("/")) or result == "/"
    assert clean(result) == result


@pytest.mark.parametrize(
    ("path", "expected"), [("/x/../y", "/x/../y"), ("x", "/b/x"), ("../x", "/x"), (".", "/b")]
)
def test_from_bundle(path: str, expected: str) -> None:
    """Relative paths count from the bundle, absolute ones are as they are."""
    assert from_bundle("/b", path) == expected
