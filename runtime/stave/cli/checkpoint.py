"""stave checkpoint."""

from __future__ import annotations

import os
from typing import Any

from stave.cli.log import Log
from stave.cli.parser import Invocation
from stave.cli.root import absolute, state_root
from stave.errors import Error

# Where images go that no flag sends elsewhere.
DEFAULT_IMAGES = "checkpoint"


def run(invocation: Invocation) -> int:
    """The container's state is in the images."""
    from stave.container.checkpoint import checkpoint
    from stave.container.criu_options import CheckpointOptions

    flags = invocation.options
    options = CheckpointOptions(
        **criu_options(invocation),
        parent=flags["parent-path"],
        leave_running=flags["leave-running"],
        pre_dump=flags["pre-dump"],
        page_server=parse_server(flags["page-server"]),
        status_fd=_parse_descriptor(flags["status-fd"]),
        link_remap=flags["link-remap"],
        tcp_skip_in_flight=flags["tcp-skip-in-flight"],
    )
    checkpoint(state_root(invocation), invocation.container_id, options)
    return 0


def criu_options(invocation: Invocation) -> dict[str, Any]:
    """What the flags say that `checkpoint` and `restore` share.

    Raises:
        Error: --empty-ns names a namespace that cannot be left empty.
    """
    flags = invocation.options
    for namespace in flags["empty-ns"]:
        if namespace != "network":
            raise Error(f'namespace "{namespace}" is not supported by --empty-ns: only network is')
    return {
        "images": absolute(flags["image-path"] or DEFAULT_IMAGES),
        "log_warning": Log(invocation).warning,
        "work": absolute(flags["work-path"]) or "",
        "executable": invocation.global_options["criu"],
        "tcp_established": flags["tcp-established"],
        "ext_unix_sk": flags["ext-unix-sk"],
        "shell_job": flags["shell-job"],
        "file_locks": flags["file-locks"],
        "manage_cgroups_mode": flags["manage-cgroups-mode"],
        "empty_network": bool(flags["empty-ns"]),
        "auto_dedup": flags["auto-dedup"],
        "lazy_pages": flags["lazy-pages"],
    }


def parse_server(text: str) -> tuple[str, int] | None:
    """ADDRESS:PORT, an IPv6 address in brackets; None for "".

    Raises:
        Error: it is something else.
    """
    if not text:
        return None
    address, _, port = text.rpartition(":")
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    elif ":" in address:
        address = ""
    if not address or not port.isdecimal() or not 0 < int(port) < 65536:
        raise Error(f'invalid page server "{text}": write ADDRESS:PORT')
    return address, int(port)


def _parse_descriptor(text: str) -> int:
    if text in ("", "-1"):
        return -1
    if not (text.isascii() and text.isdigit()):
        raise Error(f'invalid --status-fd "{text}": write the number of an open descriptor')
    try:
        os.fstat(int(text))
    except OSError as error:
        raise Error(f"invalid --status-fd {text}: {error.strerror}") from error
    return int(text)
