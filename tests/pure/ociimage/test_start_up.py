"""What a container's start imports of images."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    *(
        "re",
        "json",
        "typing",
        "enum",
        "dataclasses",
        "hashlib",
        "tarfile",
        "logging",
        "threading",
        "subprocess",
    ),
    *(
        "argparse",
        "pathlib",
        "tempfile",
        "shutil",
        "contextlib",
        "functools",
        "collections",
        "urllib3",
        "zstandard",
    ),
}
MODULES = (
    "ociimage.store ociimage.image ociimage.snapshots.snapshots ociimage.snapshots.overlay ociimage.native.syscalls"
    " ociimage.bundle.config ociimage.bundle.options ociimage.bundle.rootfs ociimage.bundle.seccomp"
    " ociimage.bundle.devices ociimage.bundle.seccomp_default"
).split()


def test_a_start_imports_nothing_heavy() -> None:
    """From the image's name to the mounted root file system and config.json: only what is ours, and `os`."""
    code = f"import sys; sys.path[:0] = {[path for path in sys.path if path]!r}\n"
    code += "".join(f"import {module}\n" for module in MODULES) + "print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert HEAVY.isdisjoint(done.stdout.split())
