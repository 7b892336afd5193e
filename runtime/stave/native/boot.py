"""The importer of the bundle: compiled into it, and run before anything of stave is imported.

The launcher executes this code with globals `index` (name -> (is a package, start, end)), `blob` (the modules'
marshalled code) and `place` (the directory that holds the packages). A module that the bundle lacks is
imported as ever.
"""

from __future__ import annotations

import marshal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any

    index: dict[str, tuple[bool, int, int]]
    blob: memoryview
    place: str

ModuleSpec = type(sys.__spec__)


class PackagePath:
    """The directory of a package, for modules that are not in the bundle. A snapshot learns only at its start where it
    is: `place` is read when somebody asks."""

    def __init__(self, package: str) -> None:
        self.package = package

    def __getitem__(self, index: int) -> str:
        return (f"{place}/{self.package}",)[index]


class BundleImporter:
    """Finds and loads the modules of the bundle, without a look at the file system."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        """The module's spec, or None if the bundle lacks it."""
        entry = index.get(name)
        if entry is None:
            return None
        file = f"{place}/{name.replace('.', '/')}"
        origin = f"{file}/__init__.py" if entry[0] else f"{file}.py"
        spec = ModuleSpec(name, BundleImporter, origin=origin, is_package=entry[0])  # type: ignore[arg-type]
        if entry[0]:
            spec.submodule_search_locations = PackagePath(name.replace(".", "/"))  # type: ignore[assignment]
        return spec

    @staticmethod
    def create_module(spec: object) -> None:
        """Python's own way of making a module is right."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        """The module's code has run."""
        _, start, end = index[module.__name__]
        exec(marshal.loads(blob[start:end]), module.__dict__)

    @staticmethod
    def move(to: str) -> None:
        """The packages are in another directory than was thought when they were imported."""
        global place
        place = to


sys.meta_path.insert(0, BundleImporter)
