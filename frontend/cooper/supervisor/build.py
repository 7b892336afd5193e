"""Builds cooper's C programs, static; setup.py runs it."""

from __future__ import annotations

import os
import subprocess
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = "-std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -static -s".split()
# A supervisor is mapped for every container: sections without padding, and nothing that is not called.
SMALL = "-ffunction-sections -fdata-sections -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,norelro".split()
# Program -> the directory of its sources.
PROGRAMS = {"cooper-supervisor": HERE, "cooper-init": os.path.join(os.path.dirname(HERE), "init")}


def build_program(name: str, path: str) -> None:
    """The program is at the path."""
    compiler = (os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]).split()
    directory = PROGRAMS[name]
    sources = [os.path.join(directory, file) for file in sorted(os.listdir(directory)) if file.endswith(".c")]
    subprocess.run([*compiler, *FLAGS, *SMALL, "-o", path, *sources], check=True)
