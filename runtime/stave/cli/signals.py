"""Signals as people and engines write them: ``TERM``, ``SIGTERM``, ``sigterm``, ``15``, ``RTMIN+3``."""

from __future__ import annotations

from stave.errors import Error

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal  # the C half of `signal`, without the enums


def parse_signal(text: str) -> int:
    """The signal's number; "" is TERM. 0 is allowed: it only asks whether the process is there.

    Raises:
        Error: there is no such signal.
    """
    if not text:
        return _signal.SIGTERM
    if text.isascii():
        number = int(text) if text.isdigit() and len(text) <= 3 else _named(text.upper().removeprefix("SIG"))
        if 0 <= number < _signal.NSIG:
            return number
    raise Error(f'unknown signal "{text}"')


def _named(name: str) -> int:
    """The number, or -1."""
    base = name[:5]
    distance = name[6:]
    if base in ("RTMIN", "RTMAX") and name[5:6] in ("+", "-") and distance.isdigit() and len(distance) <= 2:
        number = int(getattr(_signal, f"SIG{base}")) + int(name[5:])
        return number if _signal.SIGRTMIN <= number <= _signal.SIGRTMAX else -1
    # SIG_DFL, SIG_BLOCK and the like are not signals.
    return -1 if "_" in name else int(getattr(_signal, f"SIG{name}", -1))
