"""Builds the C side; setup.py runs it.

Three products of one source tree: ``stave-init`` (freestanding, static), whose bytes become an array in
the cffi module ``stave.native._native``, and the launcher that is installed as ``stave``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig

from cffi import FFI

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE_ROOT = os.path.dirname(os.path.dirname(HERE))

WARNINGS = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-Wstrict-prototypes"]
FREESTANDING = [
    *["-ffreestanding", "-nostdlib", "-static", "-fno-pic", "-no-pie", "-fno-stack-protector"],
    *["-fno-asynchronous-unwind-tables", "-fno-tree-loop-distribute-patterns", "-ffunction-sections"],
    *["-Wl,--gc-sections", "-Wl,--build-id=none", "-Wl,-z,noseparate-code", "-Wl,-z,noexecstack", "-s"],
]
# The runtime's own half, which Python calls.
OURS = ("launch.c", "idmap.c", "scheduling.c", "supervise.c", "restore.c")
INTERPRETER = [
    *["interpret.c", "protocol.c", "program.c", "strings.c", "paths.c", "namespaces.c", "capabilities.c"],
    *["mounts.c", "copyup.c", "rootfs.c", "console.c", "hooks.c", "labels.c", "process.c"],
]
# How the launcher answers for stave without Python.
ANSWERS = ["answer.c", "command.c", "container.c", "list.c", "output.c", "record.c"]


def compiler() -> list[str]:
    """The C compiler's command: $CC, or the one that Python was built with."""
    return (os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]).split()


def generated_directory() -> str:
    """Where generated headers go: below build/, out of the source tree."""
    directory = os.path.join(os.path.dirname(SOURCE_ROOT), "build", "generated")
    os.makedirs(directory, exist_ok=True)
    return directory


def write_if_changed(path: str, text: str) -> None:
    """Leaves the file alone if it says the same already, so that nothing is rebuilt for it."""
    if os.path.exists(path):
        with open(path) as file:
            if file.read() == text:
                return
    with open(path, "w") as file:
        file.write(text)


def write_operations_header(directory: str) -> None:
    """operations.gen.h: what the C side needs of the table of operations."""
    sys.path.insert(0, SOURCE_ROOT)
    try:
        from stave.plan.operations import CONTAINER
    finally:
        sys.path.remove(SOURCE_ROOT)
    kinds = ", ".join(f'"{kinds}"' for _, kinds in CONTAINER.values())
    functions = ", ".join(f"op_{name}" for name in CONTAINER)
    text = (
        f"#define OPERATION_COUNT {len(CONTAINER)}\n"
        f"#define OPERATION_KINDS {{ {kinds} }}\n"
        f"#define OPERATION_FUNCTIONS {{ {functions} }}\n"
    )
    write_if_changed(os.path.join(directory, "operations.gen.h"), text)


def build_init(directory: str) -> None:
    """init_image.gen.h: the bytes of stave-init."""
    binary = os.path.join(directory, "stave-init")
    sources = [os.path.join(HERE, name) for name in [*INTERPRETER, "init.c"]]
    flags = [*WARNINGS, *FREESTANDING, f"-I{directory}"]
    subprocess.run([*compiler(), *flags, "-o", binary, *sources], check=True)
    with open(binary, "rb") as file:
        image = file.read()
    text = "static const unsigned char init_image[] = {" + ",".join(map(str, image)) + "};\n"
    write_if_changed(os.path.join(directory, "init_image.gen.h"), text)


def build_launcher(path: str, program: str) -> None:
    """The program `stave` or `cooper`, for the Python that runs this."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    python = os.path.join(sys.base_prefix, "bin", f"python{version}")
    names = {"VERSION": version, "EXECUTABLE": python, "TAG": sys.implementation.cache_tag}
    flags = [f'-DPYTHON_{name}="{value}"' for name, value in names.items()]
    file = os.stat(python)
    flags += [f"-DPYTHON_SIZE={file.st_size}", f"-DPYTHON_TIME={int(file.st_mtime)}"]
    flags += [f'-DPROGRAM="{program}"', "-static", "-s"]
    answers = ANSWERS if program == "stave" else ["no_answers.c"]
    sources = [os.path.join(HERE, "launcher", name) for name in ["launcher.c", *answers]]
    subprocess.run([*compiler(), *WARNINGS, *flags, "-o", path, *sources], check=True)


def declarations() -> str:
    """What cffi learns of the headers: messages and the functions of launch.h."""
    with open(os.path.join(HERE, "launch.h")) as file:
        functions = file.read().partition("/* cffi reads from here */")[2].rpartition("#endif")[0]
    with open(os.path.join(HERE, "messages.h")) as file:
        lines = file.read().partition("#include <stdint.h>")[2].splitlines()
    detail = next(line.split()[2] for line in lines if line.startswith("#define MESSAGE_DETAIL"))
    messages = "\n".join(line for line in lines if not line.startswith("#")).replace("MESSAGE_DETAIL", detail)
    return messages + functions


def make_builder() -> FFI:
    """The cffi builder that setup.py names; builds stave-init first."""
    directory = generated_directory()
    write_operations_header(directory)
    build_init(directory)
    builder = FFI()
    builder.cdef(declarations())
    relative = os.path.relpath(HERE, os.getcwd())
    builder.set_source(
        "stave.native._native",
        '#include "launch.h"',
        sources=[os.path.join(relative, name) for name in OURS],
        include_dirs=[HERE, directory],
        depends=[os.path.join(directory, name) for name in ("operations.gen.h", "init_image.gen.h")],
        extra_compile_args=[flag for flag in WARNINGS if flag != "-Wshadow"]
        + ["-Wno-missing-field-initializers"],
    )
    return builder
