"""Reading ahead in a thread: hashing and decompression leave the interpreter to the thread that unpacks."""

from __future__ import annotations

from contextlib import contextmanager
from queue import Queue
from threading import Thread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Pieces of at most 1 MiB.
_AHEAD = 16


@contextmanager
def ahead(pieces: Iterable[bytes]) -> Iterator[Iterator[bytes]]:
    """The same pieces, read by a thread that has ended when the block ends. Its error is raised here."""
    queue: Queue[bytes | BaseException | None] = Queue(_AHEAD)
    stopped = False

    def read() -> None:
        try:
            for piece in pieces:
                if stopped:
                    return
                queue.put(piece)
            queue.put(None)
        except BaseException as error:
            queue.put(error)

    def consume() -> Iterator[bytes]:
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item

    thread = Thread(target=read, name="read-ahead")
    thread.start()
    try:
        yield consume()
    finally:
        stopped = True
        while thread.is_alive():
            # The thread may wait for room.
            while not queue.empty():
                queue.get_nowait()
            thread.join(0.01)
