"""Declares ``calls.h`` for cffi to compile into ``ociimage.native._native``."""

from __future__ import annotations

import os

from cffi import FFI

_HERE = os.path.dirname(os.path.abspath(__file__))


def make_builder() -> FFI:
    """The builder that setup.py runs: the header itself is the declaration."""
    builder = FFI()
    with open(os.path.join(_HERE, "calls.h"), encoding="ascii") as file:
        lines = [line for line in file if not line.startswith("#")]
    builder.cdef("".join(lines))
    builder.set_source(
        "ociimage.native._native",
        '#include "calls.h"',
        sources=[os.path.relpath(os.path.join(_HERE, "calls.c"))],
        include_dirs=[_HERE],
        extra_compile_args=["-O2", "-Wall", "-Wextra", "-Wno-unused-parameter"],
    )
    return builder


if __name__ == "__main__":
    make_builder().compile(verbose=True)
