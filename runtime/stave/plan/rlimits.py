"""Resource limits of the process."""

from __future__ import annotations

from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ocispec.types import Rlimit
    from stave.plan.program import Program

# In the order of their numbers, see getrlimit(2).
NAMES = (
    "RLIMIT_CPU",
    "RLIMIT_FSIZE",
    "RLIMIT_DATA",
    "RLIMIT_STACK",
    "RLIMIT_CORE",
    "RLIMIT_RSS",
    "RLIMIT_NPROC",
    "RLIMIT_NOFILE",
    "RLIMIT_MEMLOCK",
    "RLIMIT_AS",
    "RLIMIT_LOCKS",
    "RLIMIT_SIGPENDING",
    "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE",
    "RLIMIT_RTPRIO",
    "RLIMIT_RTTIME",
)

NUMBERS: dict[str, int] = {name: number for number, name in enumerate(NAMES)}

# With fewer descriptors stave-init could neither wait for `start` nor read what it has to; the program may.
FEW_DESCRIPTORS = 64


def add_rlimits(program: Program, rlimits: Sequence[Rlimit]) -> None:
    """The process has its limits. By the runtime: raising one takes a right that the container may lack.

    To be planned before the change of user: without CAP_SYS_RESOURCE prlimit(2) reaches only processes of
    one's own user. Yet late: the way here may need more than the program is allowed.

    Raises:
        ConfigError: a type that the kernel does not have.
    """
    if rlimits:
        program.add("wait_for_runtime", "/process/rlimits")
    for index, limit in enumerate(rlimits):
        pointer = f"/process/rlimits/{index}"
        number = NUMBERS.get(limit["type"])
        if number is None:
            raise ConfigError(f"{pointer}/type", f"no resource limit is called {limit['type']!r}")
        soft, hard = limit["soft"], limit["hard"]
        if _is_low(limit):
            soft = FEW_DESCRIPTORS
        if soft <= hard:
            program.add("set_rlimit", pointer, number, soft, hard)


def add_low_rlimits(program: Program, rlimits: Sequence[Rlimit]) -> None:
    """The process has those limits too that it could not have got here with; it may lower them by itself."""
    for index, limit in enumerate(rlimits):
        if _is_low(limit):
            number = NUMBERS[limit["type"]]
            program.add("lower_rlimit", f"/process/rlimits/{index}", number, limit["soft"], limit["hard"])


def _is_low(limit: Rlimit) -> bool:
    return limit["type"] == "RLIMIT_NOFILE" and limit["soft"] < FEW_DESCRIPTORS
