"""stave: an OCI low-level container runtime, as a program and as a library.

The library (docs/library.md) is loaded when one of its names is first used: the program's commands need none
of them, and pay for every import.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["DEVNULL", "PIPE", "Container", "Process", "Runtime", "__version__"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.library import DEVNULL, PIPE, Container, Process, Runtime


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'stave' has no attribute {name!r}")
    import stave.library as library

    return getattr(library, name)
