"""The suite on one runtime, in a process of its own: `python -m ociconformance.worker PYTEST-ARGUMENT...`."""

from __future__ import annotations

import sys
from pathlib import Path

SUITE = Path(__file__).with_name("suite")

ARGUMENTS = (
    str(SUITE),
    f"--rootdir={SUITE}",
    f"--confcutdir={SUITE}",
    "-c/dev/null",
    "--import-mode=importlib",
    "--strict-markers",
    "-Werror",
    "-pociconformance.plugin",
    "-pno:cacheprovider",
    "-pno:hypothesispytest",
)


def main(arguments: list[str]) -> int:
    """Runs pytest; returns its exit status. Unless tests are only to be collected, root is needed."""
    import pytest

    if "--collect-only" not in arguments:
        from ociconformance import isolation

        isolation.enter()
    return int(pytest.main([*ARGUMENTS, *arguments]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
