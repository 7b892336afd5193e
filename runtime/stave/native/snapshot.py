"""Runs in the interpreter that becomes the snapshot (``snapshot/``), and again, by `go_on`, whenever that is started.

Arguments: the bundle (`native/bundle.py`), whose modules are imported. It prints the interpreter's version.
"""

from __future__ import annotations

import gc
import marshal
import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from importlib.machinery import ModuleSpec
else:
    import _signal

# Of the interpreter's, loaded by every hot command.
SHARED_OBJECTS = ("_json",)


class SharedObjects:
    """Finds the shared objects where they were when the snapshot was made, without a search."""

    specs: dict[str, ModuleSpec | None] = {}

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module's spec, or None for other modules."""
        return SharedObjects.specs.get(name)


def prepare(bundle: str) -> None:
    """All modules of the bundle are imported; none of them is a shared object, whose memory would be lost."""
    # Collecting garbage on the way costs more than the little that a command leaves lying.
    gc.disable()
    with open(bundle, "rb") as file:
        data = memoryview(file.read())
    end = 4 + int.from_bytes(data[:4], "little")
    code, index = marshal.loads(data[4:end])
    names = {"__name__": "stave.native.boot", "index": index, "blob": data[end:], "place": ""}
    exec(code, names)
    for name in index:
        __import__(name)
    for name in SHARED_OBJECTS:
        specs = [finder.find_spec(name, None) for finder in sys.meta_path]
        SharedObjects.specs[name] = next((spec for spec in specs if spec), None)
    sys.meta_path.insert(1, SharedObjects)  # behind the bundle's
    posix.environ.clear()
    for name, module in sys.modules.items():
        if getattr(module, "__file__", "").endswith(".so"):
            raise ImportError(f"{name} is a shared object")


def go_on(
    place: str, connection: str, words: list[str], environment: dict[bytes, bytes], interruptible: bool
) -> None:
    """The command of these words is carried out, and the process ends.

    Args:
        place: the directory that holds the packages.
        connection: what start's `-X start-connection` says otherwise, or "".
        interruptible: whether SIGINT has its default effect.
    """
    sys.meta_path[0].move(place)  # type: ignore[attr-defined]  # boot.py's importer
    sys.path.append(place)
    sys.argv[:] = ["stave", *words]
    posix.environ.update(environment)
    if connection:
        sys._xoptions["start-connection"] = connection
    if interruptible:
        _signal.signal(_signal.SIGINT, _signal.default_int_handler)
    # The entry, by name as in the launcher: it stands above this layer.
    sys.modules["stave.cli.main"].main()


if __name__ == "__main__":
    prepare(sys.argv[1])
    posix.write(1, sys.version.encode())  # not by a stream, whose buffer would be in the snapshot
