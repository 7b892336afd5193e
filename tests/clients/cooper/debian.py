"""A root file system of Debian's essential packages, and busybox, from the mirror that the machine's apt knows.

mmdebstrap makes what debootstrap would, in less than half of its time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .program import place

_SECONDS = 300


class Debian:
    """It is being made, below this directory."""

    def __init__(self, place: Path) -> None:
        self._tar = place / "debian.tar"
        self._log = place / "log"
        self._problem = ""
        self._process: subprocess.Popen[bytes] | None = None
        busybox = shutil.which("busybox")
        if busybox is None or not all(map(shutil.which, ("mmdebstrap", "apt-get"))):
            self._problem = "mmdebstrap or busybox is not installed"
        elif not (source := _source()):
            self._problem = "apt has no source of this Debian release's packages"
        else:
            uri, suite = source
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [
                        "mmdebstrap", "--variant=essential", "--format=tar",
                        "--dpkgopt=force-unsafe-io",  # what is unpacked is thrown away
                        f"--customize-hook=copy-in {busybox} /usr/local/bin",
                        '--customize-hook=ln -s busybox "$1/usr/local/bin/httpd"',
                        '--customize-hook=cd "$1/usr/share" && rm -r doc locale man',  # as in "slim" images
                        suite, self._tar, uri,
                    ],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "TMPDIR": str(place)},
                )  # fmt: skip

    def tar(self) -> Path:
        """Its tar is there. The test is skipped where it cannot be made."""
        if self._process is not None and not self._problem:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_SECONDS)
            if self._process.poll() != 0:
                self._problem = f"mmdebstrap: {self._log.read_text(errors='replace')[-500:]}"
        if self._problem:
            pytest.skip(self._problem)
        return self._tar

    def stop(self) -> None:
        """It is not being made any more."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()


@contextlib.contextmanager
def debian() -> Iterator[Debian]:
    """It is being made, and gone in the end."""
    with place(in_memory=True) as directory:
        made = Debian(directory)
        try:
            yield made
        finally:
            made.stop()


def _source() -> tuple[str, str] | None:
    """The address and the suite of this machine's own release in apt's sources."""
    release = dict(
        line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line
    )
    suite = release.get("VERSION_CODENAME", "").strip('"')
    shown = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for line in shown.splitlines():
        found, component, uri = line.split(maxsplit=2)
        if (found, component) == (suite, "main"):
            return uri, suite
    return None
