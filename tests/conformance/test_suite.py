"""The conformance suite finds in stave, runc and crun exactly the deviations that it lists."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ociconformance.clauses import CLAUSES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")

NAMES = ("stave", "runc", "crun")


@pytest.fixture(scope="module")
def document(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The report on the three, as `oci-conformance` writes it."""
    directory = tmp_path_factory.mktemp("report")
    command = [sys.executable, "-m", "ociconformance.cli", "--seconds", "60"]
    for executable in (str(runtime), *(shutil.which(name) or name for name in NAMES[1:])):
        command += ["--runtime", executable]
    for form in ("json", "html", "tap"):
        command += ["--report", form, str(directory / form)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert ended.returncode in (0, 1), ended.stderr
    assert (directory / "html").stat().st_size > 100_000 and (directory / "tap").exists()
    found: dict[str, Any] = json.loads((directory / "json").read_text())
    return found


@pytest.mark.parametrize("index", range(3), ids=NAMES)
def test_verdicts(document: dict[str, Any], index: int) -> None:
    """No test goes otherwise than is known of the runtime, and most of them pass."""
    tests = document["runtimes"][index]["tests"]
    wrong = [f"{test['name']}: {test['reason']}" for test in tests if test["verdict"] in ("fail", "fixed")]
    assert not wrong, "\n".join(wrong)
    assert sum(test["verdict"] == "pass" for test in tests) > len(tests) / 2


def test_stave_keeps_what_binds(document: dict[str, Any]) -> None:
    """stave deviates from no clause that is a MUST, as far as this machine shows."""
    clauses = {each["id"]: each["verdicts"][0] for each in document["clauses"]}
    assert [
        name for name, verdict in clauses.items() if verdict == "deviation" and CLAUSES[name].binding
    ] == []
