"""What setup.cfg cannot say: the C side, and the validator generated from the schemas."""

import os
import sys

from setuptools import setup  # first: it provides distutils
from setuptools.command.build_py import build_py

from distutils.command.build_scripts import build_scripts  # isort: skip

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "spec"), os.path.join(HERE, "runtime")]


class BuildPython(build_py):
    """Adds the generated validator and the bundle of hot modules to the built package."""

    def run(self):
        super().run()
        from ocispec.generate import write

        write(os.path.join(self.build_lib, "ocispec"))
        from stave.native.bundle import write_bundle

        write_bundle(self.build_lib)


class BuildScripts(build_scripts):
    """Puts the compiled launcher where a script would be: installers copy it as it is."""

    def run(self):
        from stave.native.build import build_launcher

        self.mkpath(self.build_dir)
        build_launcher(os.path.join(self.build_dir, "stave"))


setup(
    cffi_modules=[
        "runtime/stave/native/build.py:make_builder",
        "runtime/stave/seccomp/build_libseccomp.py:ffibuilder",
    ],
    cmdclass={"build_py": BuildPython, "build_scripts": BuildScripts},
    # Present so that setuptools plans the step; what is installed is the compiled launcher.
    scripts=["stave"],
)
