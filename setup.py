"""What setup.cfg cannot say: the source roots, the C side, and the validator generated from the schemas."""

import os
import sys

from setuptools import find_packages, setup  # first: it provides distutils
from setuptools.command.build_py import build_py

from distutils.command.build_scripts import build_scripts  # isort: skip

HERE = os.path.dirname(os.path.abspath(__file__))
# Each source root holds one package, named as it is imported.
ROOTS = {
    "ocispec": "spec",
    "stave": "runtime",
    "ociimage": "bundles",
    "cooper": "frontend",
    "ociconformance": "conformance",
}
sys.path[:0] = [os.path.join(HERE, root) for root in ROOTS.values()]


class BuildPython(build_py):
    """Adds the generated validator and the bundles of hot modules to the built packages."""

    def run(self):
        super().run()
        from ocispec.generate import write

        write(os.path.join(self.build_lib, "ocispec"))
        from stave.native.bundle import write_bundle

        bundle = write_bundle(self.build_lib)
        from stave.native.build_snapshot import write_snapshot

        if write_snapshot(self.build_lib, os.path.abspath(bundle)) is None:
            print("no snapshot of just this Python: stave will start the interpreter each time")
        from cooper.hot import MODULES

        write_bundle(self.build_lib, "cooper", MODULES)


class BuildScripts(build_scripts):
    """Puts compiled programs where scripts would be: installers copy them as they are."""

    def run(self):
        from cooper.supervisor.build import PROGRAMS, build_program
        from stave.native.build import build_launcher

        self.mkpath(self.build_dir)
        for program in ("stave", "cooper"):
            build_launcher(os.path.join(self.build_dir, program), program)
        for program in PROGRAMS:
            build_program(program, os.path.join(self.build_dir, program))


setup(
    package_dir={name: f"{root}/{name}" for name, root in ROOTS.items()},
    packages=[
        package
        for name, root in ROOTS.items()
        for package in find_packages(root, include=[name, f"{name}.*"])
    ],
    cffi_modules=[
        "runtime/stave/native/build.py:make_builder",
        "runtime/stave/seccomp/build_libseccomp.py:ffibuilder",
        "runtime/stave/doctor/build_probe.py:ffibuilder",
        "bundles/ociimage/native/build.py:make_builder",
        "frontend/cooper/networks/build_namespaces.py:ffibuilder",
    ],
    cmdclass={"build_py": BuildPython, "build_scripts": BuildScripts},
    # Present so that setuptools plans the step; what is installed is compiled.
    scripts=["stave", "cooper", "cooper-supervisor", "cooper-init"],
)
