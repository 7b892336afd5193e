"""Builds the bundle: the hot commands' modules in one file, compiled.

Importing fifty small modules one by one costs the file system some hundred look-ups and takes longer than
most commands' work. The launcher reads the bundle instead; without the file everything still works, only
slower, and shows what was changed in the ``.py`` files.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Sequence
from types import CodeType

# What create, start, state, kill, delete, run and exec import; a test holds them to it. And what callers poll.
HOT = (
    "ocispec ocispec._generated ocispec.config ocispec.errors ocispec.formats ocispec.jsontext"
    " ocispec.linux_rules ocispec.rules ocispec.sysctl"
    " stave stave.cgroups stave.cgroups.device_filter stave.cgroups.devices stave.cgroups.files"
    " stave.cgroups.manage stave.cgroups.operations stave.cgroups.plan stave.cgroups.v1 stave.cgroups.v2"
    " stave.cgroups.writes"
    " stave.cli stave.cli.create stave.cli.delete stave.cli.execute stave.cli.kill stave.cli.log stave.cli.main"
    " stave.cli.list_ stave.cli.output stave.cli.parser stave.cli.pause stave.cli.ps stave.cli.root stave.cli.run"
    " stave.cli.signals stave.cli.start stave.cli.state stave.cli.table stave.cli.user"
    " stave.container stave.container.caller stave.container.create stave.container.delete"
    " stave.container.execute stave.container.executor stave.container.foreground stave.container.hooks"
    " stave.container.kill stave.container.record stave.container.run stave.container.start stave.container.state"
    " stave.container.subjects"
    " stave.errors stave.host stave.host.facts stave.native stave.native.module"
    " stave.plan stave.plan.capabilities stave.plan.cgroup_mounts stave.plan.constants stave.plan.create"
    " stave.plan.devices stave.plan.execute stave.plan.hooks stave.plan.mount_options stave.plan.mounts"
    " stave.plan.namespaces stave.plan.operations stave.plan.paths stave.plan.process stave.plan.program"
    " stave.plan.result stave.plan.rlimits stave.plan.rootfs stave.plan.sysctl"
    " stave.seccomp stave.seccomp.cache"
).split()


def write_bundle(site: str, program: str = "stave", hot: Sequence[str] = HOT) -> str:
    """``PROGRAM/hot.<tag>.bundle`` below `site`, made of the sources there; returns its path.

    Its form: the length of the head (4 bytes, little-endian); the head, marshalled: the code of ``boot.py`` and
    an index name -> (is a package, start, end); then the modules' marshalled code, where the index says.

    The code is that of the Python that runs this, and good for no other minor version; hence the tag.
    """
    index: dict[str, tuple[bool, int, int]] = {}
    blob = b""
    for name in hot:
        path = os.path.join(site, *name.split("."))
        package = os.path.isdir(path)
        file = os.path.join(path, "__init__.py") if package else f"{path}.py"
        code = marshal.dumps(_compile(file, site))
        index[name] = (package, len(blob), len(blob) + len(code))
        blob += code
    boot = _compile(os.path.join(site, "stave", "native", "boot.py"), site)
    path = os.path.join(site, program, f"hot.{sys.implementation.cache_tag}.bundle")
    with open(path, "wb") as bundle:
        head = marshal.dumps((boot, index))
        bundle.write(len(head).to_bytes(4, "little") + head + blob)
    return path


def _compile(file: str, site: str) -> CodeType:
    """Without docstrings; tracebacks name the module's place in the package."""
    with open(file, encoding="utf-8") as source:
        return compile(source.read(), os.path.relpath(file, site), "exec", dont_inherit=True, optimize=2)


if __name__ == "__main__":
    print(write_bundle(sys.argv[1]))
