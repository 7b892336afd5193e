"""A registry on loopback."""

from __future__ import annotations

import contextlib
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def docker_registry(place: Path, password_file: Path | None = None) -> Iterator[str]:
    """The address of Debian's docker-registry, running with its files in this directory."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = place / "registry.yml"
    settings.write_text(
        f"version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {place}/registry}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\n"
        + (f"auth: {{htpasswd: {{realm: test, path: {password_file}}}}}\n" if password_file else "")
    )
    with open(place / "registry.log", "wb") as log:
        process = subprocess.Popen(["docker-registry", "serve", settings], stdout=log, stderr=log)
    try:
        while True:
            assert process.poll() is None, (place / "registry.log").read_text()
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
