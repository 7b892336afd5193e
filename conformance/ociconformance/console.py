"""A container's terminal, as whoever called the runtime has it."""

from __future__ import annotations

import array
import os
import select
import socket

from ociconformance.container import Container


class Console:
    """The other end of a container's terminal, received over a console socket, which is closed with the `with`."""

    def __init__(self, container: Container) -> None:
        self._server = container.listen("console")
        self._server.settimeout(60)
        container.process["terminal"] = True
        self.flag = ("--console-socket", container.bundle / "console")
        self.descriptor = -1

    def __enter__(self) -> Console:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.close()

    def receive(self) -> None:
        """The runtime has sent the descriptor."""
        connection, _ = self._server.accept()
        with connection:
            descriptors = array.array("i")
            _, control, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(descriptors.itemsize))
            assert control, "no descriptor was sent"
            descriptors.frombytes(control[0][2][: descriptors.itemsize])
            self.descriptor = descriptors[0]

    def read_until(self, text: str, seconds: float = 20) -> str:
        """What the container writes, up to this text."""
        read = ""
        while text not in read:
            assert select.select([self.descriptor], [], [], seconds)[0], (
                f"the terminal says no more than {read!r}"
            )
            try:
                chunk = os.read(self.descriptor, 4096)
            except OSError:
                chunk = b""
            assert chunk, f"the terminal says no more than {read!r}"
            read += chunk.decode()
        return read.replace("\r\n", "\n")

    def write(self, text: str) -> None:
        """Somebody types."""
        os.write(self.descriptor, text.encode())


def on_terminal(container: Container, script: str) -> Console:
    """The script has been started on a terminal."""
    container.script(script)
    with Console(container) as console:
        container.create(*console.flag)
        console.receive()
    container.start()
    return console
