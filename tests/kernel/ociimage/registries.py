"""A registry that does whatever a test wants."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Callable

from .maker import Image

Handler = http.server.BaseHTTPRequestHandler


class Fake:
    """A registry of one image that notes what it is asked, and answers as a test says.

    Attributes:
        address: host and port.
        requests: "METHOD path" of each, with the Authorization and Range headers.
        special: called first with the handler; an answer of True means that it has answered.
    """

    def __init__(self, image: Image | None = None) -> None:
        self.image = image
        self.requests: list[tuple[str, str, str]] = []
        self.special: Callable[[Handler], bool] = lambda handler: False
        fake = self

        class Answers(Handler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = self.headers
                with fake._lock:
                    fake.requests.append(
                        (
                            f"{self.command} {self.path}",
                            headers.get("Authorization", ""),
                            headers.get("Range", ""),
                        )
                    )
                if not fake.special(self):
                    fake.answer(self)

            do_POST = do_PUT = do_PATCH = do_HEAD = do_GET

            def finish(self) -> None:
                # Who is told too much hangs up, and that is no error of the test.
                with contextlib.suppress(ConnectionError):
                    super().finish()

            def handle(self) -> None:
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._lock = threading.Lock()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Fake:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self, text: str) -> list[tuple[str, str, str]]:
        """The requests whose first line holds the text."""
        return [each for each in self.requests if text in each[0]]

    def answer(self, handler: Handler) -> None:
        """What a well-behaved registry says."""
        image = self.image
        path = handler.path.partition("?")[0]
        if path == "/v2/":
            reply(handler, 200, b"{}")
        elif image is not None and "/manifests/" in path:
            reply(handler, 200, image.manifest, {"Content-Type": image.document["mediaType"]})
        elif image is not None and path.rpartition("/")[2] in image.blobs:
            blob(handler, image.blobs[path.rpartition("/")[2]])
        else:
            reply(handler, 404, b'{"errors":[{"code":"NOT_FOUND","message":"not here"}]}')


def reply(handler: Handler, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> bool:
    """A whole answer."""
    handler.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
        handler.send_header(name, value)
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)
    return True


def blob(handler: Handler, data: bytes) -> bool:
    """A blob, or the part of it that was asked for."""
    wanted = handler.headers.get("Range", "")
    if not wanted:
        return reply(handler, 200, data)
    start = int(wanted.removeprefix("bytes=").rstrip("-"))
    content_range = f"bytes {start}-{len(data) - 1}/{len(data)}"
    return reply(handler, 206, data[start:], {"Content-Range": content_range})
