"""`features` prints a document of the specification's form, from the tables that the planner reads."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ocispec import reference
from ocispec.types import Hooks
from stave.cli.features import HOOKS
from stave.cli.main import execute


def test_hooks_of_the_specification() -> None:
    """All hooks that the specification has are listed."""
    assert list(HOOKS) == list(Hooks.__annotations__)


@pytest.fixture
def document(capfd: pytest.CaptureFixture[str]) -> Any:
    """The features document as printed; needs the compiled seccomp module."""
    pytest.importorskip("stave.seccomp._libseccomp", reason="the compiled modules are not built")
    assert execute(["features"]) == 0
    return json.loads(capfd.readouterr().out)


def test_form(document: Any) -> None:
    """The document is valid against the schema."""
    assert reference.problems(document, "features") == []


def test_content(document: Any) -> None:
    """Names that callers look for are there."""
    assert document["ociVersionMax"] == "1.3.0"
    assert {"rbind", "ro", "rro", "rprivate"} <= set(document["mountOptions"])
    assert len(document["linux"]["namespaces"]) == 8
    assert "CAP_CHECKPOINT_RESTORE" in document["linux"]["capabilities"]
    version = document["annotations"]["io.github.seccomp.libseccomp.version"]
    assert len([int(part) for part in version.split(".")]) == 3
    assert document["annotations"]["org.opencontainers.runc.checkpoint.enabled"] == "true"
