"""`cooper run`."""

from __future__ import annotations

from cooper.cli.command import IMAGE, Command, Invocation
from cooper.cli.container_flags import ATTACH_FLAGS, CREATE_FLAGS

COMMAND = Command(
    arguments="IMAGE [PROGRAM [ARGUMENT ...]]",
    maximum=-1,
    flags=(*CREATE_FLAGS, *ATTACH_FLAGS),
    in_order=True,
    completes=IMAGE,
    examples=(
        ("cooper run -it --rm busybox sh", "a shell, and nothing left of it afterwards"),
        (
            "cooper run -d --name web -p 8080:80 nginx",
            "a server in the background, its port 80 on port 8080 of the host",
        ),
        (
            "cooper run --rm -v ./data:/data -m 100m --cpus 1.5 busybox ls /data",
            "with a directory and limits",
        ),
        (
            "cooper run --rm --rootfs ./rootfs --runtime crun /bin/true",
            "a directory as it is, on another runtime",
        ),
    ),
)


def run(invocation: Invocation) -> int:
    """The container has ended (its exit status), runs in the background (0), or was left running (0)."""
    from cooper.containers.attached import run_container

    return run_container(invocation)
