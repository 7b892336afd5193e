"""What both cgroup versions make of `linux.resources` in the same way.

As engines send 0 for "not set", 0 is taken like an absent value, except where it is a value of its own: for
`pids.limit`, `memory.swappiness`, `cpu.idle`, `cpu.burst` and the rates of `blockIO`. -1 is "unlimited".
"""

from __future__ import annotations

from stave.errors import ConfigError
from stave.plan.program import Operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ocispec.types import BlockIO, Memory, RdmaLimit, Resources, ThrottleDevice

    # Write a value to a controller's file on behalf of a property: (controller, file, value, pointer).
    Write = Callable[[str, str, int | str, str], None]

POINTER = "/linux/resources"
_WEIGHTS = range(10, 1001)


def write(pointer: str, file: str, value: int | str) -> Operation:
    """The operation that writes this value."""
    return Operation("write_cgroup", pointer, (file, str(value)))


def swap_limit(memory: Memory) -> int:
    """The limit of memory and swap together: bytes, -1 for unlimited, 0 for not set.

    Raises:
        ConfigError: it is below the memory limit, or there is no memory limit that it could add to.
    """
    limit, swap = memory.get("limit", 0), memory.get("swap", 0)
    pointer = f"{POINTER}/memory/swap"
    if swap > 0 and limit <= 0:
        raise ConfigError(pointer, "needs a memory limit: it counts memory and swap together")
    if 0 < swap < limit:
        raise ConfigError(
            pointer, f"must be at least memory.limit ({limit}), as it includes memory; is {swap}"
        )
    return swap


def plan_pids(resources: Resources, put: Write) -> None:
    """Plan `pids`. A limit of 0 is one: nothing in the group can fork."""
    limit = resources.get("pids", {}).get("limit")
    if limit is not None:
        put("pids", "pids.max", "max" if limit < 0 else limit, f"{POINTER}/pids/limit")


def plan_rdma(resources: Resources, put: Write) -> None:
    """Plan `rdma`."""
    for device, limit in resources.get("rdma", {}).items():
        if " " in device or "\n" in device:
            raise ConfigError(f"{POINTER}/rdma", f"{device!r} is not the name of a device")
        put("rdma", "rdma.max", f"{device}{_rdma_words(limit)}", f"{POINTER}/rdma/{escape(device)}")


def _rdma_words(limit: RdmaLimit) -> str:
    handles, objects = limit.get("hcaHandles"), limit.get("hcaObjects")
    words = "" if handles is None else f" hca_handle={handles}"
    return words if objects is None else f"{words} hca_object={objects}"


def plan_hugepages(resources: Resources, put: Write, limit_file: str) -> None:
    """Plan `hugepageLimits`: for pages that are reserved and, for the rest, for pages that are used."""
    for index, entry in enumerate(resources.get("hugepageLimits", ())):
        pointer, size = f"{POINTER}/hugepageLimits/{index}", entry["pageSize"]
        if not size.isalnum():
            raise ConfigError(f"{pointer}/pageSize", f"{size!r} is not a page size such as 2MB")
        put("hugetlb", f"hugetlb.{size}.rsvd.{limit_file}", entry["limit"], pointer)
        put("hugetlb", f"hugetlb.{size}.{limit_file}", entry["limit"], pointer)


def throttles(block_io: BlockIO) -> Iterator[tuple[str, Sequence[ThrottleDevice], str, str]]:
    """The lists of rates that are there: name, entries, file in v1, key of io.max in v2."""
    names = (
        ("throttleReadBpsDevice", "read_bps", "rbps"),
        ("throttleWriteBpsDevice", "write_bps", "wbps"),
        ("throttleReadIOPSDevice", "read_iops", "riops"),
        ("throttleWriteIOPSDevice", "write_iops", "wiops"),
    )
    for name, file, key in names:
        if name in block_io:
            yield name, block_io[name], f"blkio.throttle.{file}_device", key  # type: ignore[literal-required]


def check_weight(weight: int, pointer: str) -> int:
    """The weight, which is one.

    Raises:
        ConfigError: it is out of range.
    """
    if weight not in _WEIGHTS:
        raise ConfigError(pointer, f"must be between 10 and 1000, is {weight}")
    return weight


def escape(name: str) -> str:
    """A name as a part of a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")
