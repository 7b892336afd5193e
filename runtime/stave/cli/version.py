"""stave version, and `stave --version`."""

from __future__ import annotations

from ocispec import VERSION as SPEC_VERSION
from stave import __version__
from stave.cli.output import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from stave.cli.parser import Invocation

COMMIT = f"v{__version__}"


def run(invocation: Invocation) -> int:
    """The three lines that containerd and Docker read are printed."""
    print_line(f"stave version {__version__}\ncommit: {COMMIT}\nspec: {SPEC_VERSION}")
    return 0
