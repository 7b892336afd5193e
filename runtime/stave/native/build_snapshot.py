"""Builds the snapshot: the interpreter, with the hot modules imported, as one program (``snapshot/``).

It takes the interpreter as a static library, which distributions have for programs that embed it
(Debian: ``libpython3-dev``). Three things are done to it when it is linked:

- its variables are moved to sections of their own, so that they can be told from the C library's, which have
  to begin anew in every process;
- its calls of malloc and the like are redirected, so that its heap is inside the program;
- the program is linked at fixed addresses, as Debian's own interpreter is, so that pointers stay true.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import sysconfig
import tempfile

from stave.native.build import HERE, OURS, WARNINGS, build_init, compiler, write_operations_header
from stave.native.build_calls import calls_source

SOURCES = ("snapshot.c", "image.c")
HEAP = "heap.c"
CALLS = "calls.c"
SECTIONS = {
    ".data": "snapshot_data",
    ".PyRuntime": "snapshot_data",
    ".bss": "snapshot_bss",
    ".bss.snapshot_heap": "snapshot_heap",
}
REDIRECTED = ("malloc", "calloc", "realloc", "free", "mmap64", "munmap")
# Where its inner state was read. Others start as ever, and slower.
VERSIONS = ((3, 11),)


def snapshot_path(site: str) -> str:
    """Where the snapshot lies below `site`, for the Python that runs this."""
    return os.path.join(site, "stave", f"snapshot.{sys.implementation.cache_tag}")


def write_snapshot(site: str, bundle: str) -> str | None:
    """The snapshot of the bundle's modules; returns its path, or None where there cannot be one.

    It is the interpreter that runs this, with all its updates; the launcher (``launcher/launcher.c``) uses it for as
    long as that one's file stays the same.
    """
    library = _static_library()
    if library is None:
        return None
    try:
        return _written(site, bundle, library)
    except subprocess.CalledProcessError as error:
        # Another compiler, or modules that are shared objects: stave works without, only slower.
        print(f"{error.cmd[0]} failed, its reason is above", file=sys.stderr)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(snapshot_path(site))
        return None


def _written(site: str, bundle: str, library: str) -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        program = _link(directory, library)
        path = snapshot_path(site)
        if os.path.exists(path):
            os.unlink(path)
        script = os.path.join(HERE, "snapshot.py")
        paths = [sysconfig.get_path("stdlib"), str(sysconfig.get_config_var("DESTSHARED"))]
        command = [program, "write", path, script, bundle, sys.base_prefix, *paths]
        version = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    if version != sys.version:  # the library is of another build, such as the one before an update
        os.unlink(path)
        return None
    subprocess.run([path, site, "", "--version"], check=True, stdout=subprocess.DEVNULL)
    return path


def _static_library() -> str | None:
    """The interpreter as a static library, if there is one that this knows how to deal with."""
    path = os.path.join(
        str(sysconfig.get_config_var("LIBPL")), f"libpython{sysconfig.get_config_var('LDVERSION')}.a"
    )
    known = sys.implementation.name == "cpython" and sys.version_info[:2] in VERSIONS
    return path if known and os.path.exists(path) else None


def _link(directory: str, library: str) -> str:
    def run(*command: str) -> None:
        subprocess.run(command, check=True, cwd=directory)

    write_operations_header(directory)
    build_init(directory)
    with open(os.path.join(directory, CALLS), "w") as file:
        file.write(calls_source())
    flags = [*WARNINGS, "-fno-pic", "-fno-lto", f"-I{sysconfig.get_path('include')}", f"-I{HERE}", "-I."]
    sources = [os.path.join(HERE, "snapshot", name) for name in (*SOURCES, HEAP)]
    sources += [CALLS, *(os.path.join(HERE, name) for name in OURS)]
    run(*compiler(), *flags, "-c", *sources)
    # What the linker would take of the library for a program that starts an interpreter.
    run("ld", "-r", "-u", "Py_BytesMain", "-o", "python.o", library)
    moves = [word for old, new in SECTIONS.items() for word in ("--rename-section", f"{old}={new}")]
    names = [word for name in REDIRECTED for word in ("--redefine-sym", f"{name}=snapshot_{name}")]
    run("objcopy", *moves, *names, "python.o")
    # Of these the interpreter holds pointers to the variables.
    for name in (HEAP, CALLS):
        run("objcopy", *moves, name.replace(".c", ".o"))
    objects = [name.replace(".c", ".o") for name in (*SOURCES, HEAP, CALLS, *OURS)]
    libraries = [_static(name) for name in (*_words("LIBS"), *_words("SYSLIBS"), *_words("MODLIBS"))]
    run(
        *compiler(),
        "-no-pie",
        "-Wl,--export-dynamic",
        "-o",
        "stave-snapshot",
        *objects,
        "python.o",
        *libraries,
    )
    return os.path.join(directory, "stave-snapshot")


def _static(library: str) -> str:
    """Of a library that no command uses, but for the interpreter's modules, the static one if it is there: to load
    the other takes time at each start."""
    if library not in ("-lexpat", "-lz"):
        return library
    name = f"lib{library[2:]}.a"
    command = [*compiler(), f"-print-file-name={name}"]
    path = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    return path if os.path.isabs(path) else library


def _words(variable: str) -> list[str]:
    return str(sysconfig.get_config_var(variable) or "").split()
