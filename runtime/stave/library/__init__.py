"""Containers from Python, in the caller's own process: no program is started but stave-init.

Failures are the exceptions of `stave.errors` and `ocispec.errors`. Everything may be used from several threads;
each container's own lock orders what changes it, also against other processes.
"""

from __future__ import annotations

from stave.library.container import Container
from stave.library.process import Process
from stave.library.runtime import Runtime
from stave.library.streams import DEVNULL, PIPE

__all__ = ["DEVNULL", "PIPE", "Container", "Process", "Runtime"]
