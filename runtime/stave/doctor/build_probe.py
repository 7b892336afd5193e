"""The trials of ``probe.c``, for cffi to compile into ``stave.doctor._probe``."""

from __future__ import annotations

import os

from cffi import FFI

HERE = os.path.dirname(os.path.abspath(__file__))


def declarations() -> str:
    """What cffi learns of probe.h."""
    with open(os.path.join(HERE, "probe.h")) as file:
        return file.read().partition("/* cffi reads from here */")[2].rpartition("#endif")[0]


ffibuilder = FFI()
ffibuilder.cdef(declarations())
ffibuilder.set_source(
    "stave.doctor._probe",
    '#include "probe.h"',
    sources=[os.path.join(os.path.relpath(HERE, os.getcwd()), "probe.c")],
    include_dirs=[HERE],
    extra_compile_args=["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"],
)
