"""Builds cooper-supervisor, static; setup.py runs it."""

from __future__ import annotations

import os
import subprocess
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
FLAGS = "-std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -static -s".split()
# Every supervisor maps this, one per container: sections without padding, and nothing that is not called.
SMALL = "-ffunction-sections -fdata-sections -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-z,norelro".split()


def build_supervisor(path: str) -> None:
    """The program is at the path."""
    compiler = (os.environ.get("CC") or (sysconfig.get_config_var("CC") or "cc").split()[0]).split()
    sources = [os.path.join(HERE, name) for name in sorted(os.listdir(HERE)) if name.endswith(".c")]
    subprocess.run([*compiler, *FLAGS, *SMALL, "-o", path, *sources], check=True)
