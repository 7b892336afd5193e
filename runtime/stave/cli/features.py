"""stave features: what the code's own tables hold, so that it cannot promise what is not there."""

from __future__ import annotations

from stave.cli.output import print_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from stave.cli.parser import Invocation

OCI_VERSION_MIN = "1.0.0"
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def run(invocation: Invocation) -> int:
    """The features document is printed."""
    from ocispec.jsontext import dumps

    print_line(dumps(features(), indent=2))
    return 0


def features() -> dict[str, Any]:
    """The features document.

    Spec: features.md, features-linux.md
    """
    from ocispec import VERSION
    from stave import __version__
    from stave.cli.version import COMMIT
    from stave.plan.mount_options import MOUNT_OPTIONS
    from stave.seccomp.features import library_version

    return {
        "ociVersionMin": OCI_VERSION_MIN,
        "ociVersionMax": VERSION,
        "hooks": list(HOOKS),
        "mountOptions": sorted(MOUNT_OPTIONS),
        "linux": _linux(),
        "annotations": {
            "stave.version": __version__,
            "stave.commit": COMMIT,
            "io.github.seccomp.libseccomp.version": library_version(),
            # Callers ask for checkpoints by this name, whatever the runtime's own is.
            "org.opencontainers.runc.checkpoint.enabled": "true",
        },
        "potentiallyUnsafeConfigAnnotations": [
            "org.criu.config",
            "org.systemd.property.",
            "run.oci.keep_original_groups",
            "stave.payload",
        ],
    }


def _linux() -> dict[str, Any]:
    from stave.plan.capabilities import NAMES
    from stave.plan.namespaces import NAMESPACES
    from stave.plan.scheduling import MEMORY_FLAGS, MEMORY_MODES
    from stave.seccomp.features import supported

    return {
        "namespaces": sorted(NAMESPACES),
        "capabilities": list(NAMES),
        "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
        "seccomp": supported(),
        "apparmor": {"enabled": True},
        "selinux": {"enabled": True},
        "memoryPolicy": {"modes": sorted(MEMORY_MODES), "flags": sorted(MEMORY_FLAGS)},
        "intelRdt": {"enabled": True, "schemata": True, "monitoring": True},
        "netDevices": {"enabled": True},
        "mountExtensions": {"idmap": {"enabled": True}},
    }
