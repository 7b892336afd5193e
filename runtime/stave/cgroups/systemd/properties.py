"""What systemd is told about the scope: its limits as unit properties, and those that annotations ask for. Pure.

Source: systemd.resource-control(5), org.freedesktop.systemd1(5), "Properties" of scopes.
"""

from __future__ import annotations

from stave.cgroups.devices import ALL, v1_allowed
from stave.cgroups.systemd.variant import parse
from stave.cgroups.v2 import weight_of_shares
from stave.cgroups.writes import swap_limit, throttles
from stave.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ocispec.types import CPU, BlockIO, DeviceRule, Memory, Resources
    from stave.cgroups.systemd.variant import Variant

    Property = tuple[str, Variant]

ANNOTATION = "org.systemd.property."
INFINITY = 2**64 - 1
# A quota is rounded up to this: systemd counts it in hundredths of a CPU.
_QUOTA_STEP_US = 10_000
_DEFAULT_PERIOD_US = 100_000
_SECOND_US = 1_000_000


def scope_properties(slice_name: str, container_id: str) -> list[Property]:
    """How the scope is, whatever its limits."""
    return [
        ("Description", ("s", f"container {container_id}")),
        ("Slice", ("s", slice_name)),
        ("Delegate", ("b", True)),
        ("DefaultDependencies", ("b", False)),
        # Accounting brings the controllers of a group, so that `update` finds them.
        ("MemoryAccounting", ("b", True)),
        ("CPUAccounting", ("b", True)),
        ("IOAccounting", ("b", True)),
        ("TasksAccounting", ("b", True)),
    ]


def limits(resources: Resources, is_v2: bool) -> list[Property]:
    """Every limit that systemd has a property for.

    Device rules are not among them. In v2 the runtime attaches a filter of its own, which systemd leaves alone as
    long as it has no rules for the unit; for v1 see `device_list`.

    Raises:
        ConfigError: memory.swap does not go with memory.limit.
    """
    found = [*_memory(resources.get("memory", {}), is_v2), *_cpu(resources.get("cpu", {}), is_v2)]
    pids = resources.get("pids", {}).get("limit")
    if pids is not None:
        found.append(("TasksMax", ("t", _or_infinity(pids))))
    found += _block_io(resources.get("blockIO", {}), is_v2)
    if is_v2:
        # Last: what is said in the kernel's own words wins.
        for file, text in resources.get("unified", {}).items():
            found += _unified(file, text.strip())
    return found


def device_list(rules: Sequence[DeviceRule]) -> list[Property]:
    """The device rules as systemd keeps them in a v1 group: it writes them anew whenever it looks after the unit, and
    without rules of its own it would allow everything, or remove the group.

    Raises:
        ConfigError: everything is allowed with exceptions.
    """
    entries = []
    for (kind, major, minor), access in v1_allowed(rules).items():
        name = "char" if kind == "c" else "block"
        if minor == ALL:
            entries.append((f"{name}-{'*' if major == ALL else major}", access))
        elif major != ALL:  # else systemd has no word for it: denied, once it writes its list
            entries.append((f"/dev/{name}/{major}:{minor}", access))
    return [("DevicePolicy", ("s", "strict")), ("DeviceAllow", ("a(ss)", entries))]


def _memory(memory: Memory, is_v2: bool) -> Iterator[Property]:
    if limit := memory.get("limit"):
        yield "MemoryMax" if is_v2 else "MemoryLimit", ("t", _or_infinity(limit))
    if not is_v2:
        return
    if reservation := memory.get("reservation"):
        yield "MemoryLow", ("t", _or_infinity(reservation))
    if swap := swap_limit(memory):
        yield "MemorySwapMax", ("t", INFINITY if swap < 0 else swap - memory["limit"])


def _cpu(cpu: CPU, is_v2: bool) -> Iterator[Property]:
    if shares := cpu.get("shares"):
        yield ("CPUWeight", ("t", weight_of_shares(shares))) if is_v2 else ("CPUShares", ("t", shares))
    if quota := cpu.get("quota", 0):
        yield from _quota(quota, cpu.get("period") or _DEFAULT_PERIOD_US)
    for name, known in (("cpus", "AllowedCPUs"), ("mems", "AllowedMemoryNodes")):
        if is_v2 and (value := cpu.get(name)):
            yield known, ("ay", bit_mask(str(value)))


def _quota(quota: int, period: int) -> Iterator[Property]:
    if quota < 0:
        yield "CPUQuotaPerSecUSec", ("t", INFINITY)
        return
    per_second = quota * _SECOND_US // period
    yield "CPUQuotaPeriodUSec", ("t", period)
    yield "CPUQuotaPerSecUSec", ("t", -(-per_second // _QUOTA_STEP_US) * _QUOTA_STEP_US)


def _block_io(block_io: BlockIO, is_v2: bool) -> Iterator[Property]:
    if not is_v2:
        if weight := block_io.get("weight"):
            yield "BlockIOWeight", ("t", weight)
        return
    if weight := block_io.get("weight"):
        yield "IOWeight", ("t", 1 + (weight - 10) * 9999 // 990)
    names = {"rbps": "IOReadBandwidthMax", "wbps": "IOWriteBandwidthMax"}
    names |= {"riops": "IOReadIOPSMax", "wiops": "IOWriteIOPSMax"}
    for _, rates, _, key in throttles(block_io):
        entries = [
            (f"/dev/block/{each['major']}:{each['minor']}", each["rate"] or INFINITY) for each in rates
        ]
        if entries:
            yield names[key], ("a(st)", entries)


_NUMBERS = {
    **{"memory.max": "MemoryMax", "memory.high": "MemoryHigh", "memory.low": "MemoryLow"},
    **{"memory.min": "MemoryMin", "memory.swap.max": "MemorySwapMax", "pids.max": "TasksMax"},
    **{"cpu.weight": "CPUWeight"},
}
_SETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}


def _unified(file: str, text: str) -> Iterator[Property]:
    """The property behind a file of cgroup v2, where there is one and its value has the usual form."""
    if file in _NUMBERS and (text == "max" or text.isdigit()):
        yield _NUMBERS[file], ("t", INFINITY if text == "max" else int(text))
    elif file in _SETS and text:
        yield _SETS[file], ("ay", bit_mask(text))
    elif file == "memory.oom.group" and text in ("0", "1"):
        yield "OOMPolicy", ("s", "kill" if text == "1" else "continue")
    elif file == "cpu.max":
        quota, _, period = text.partition(" ")
        if (quota == "max" or quota.isdigit()) and (not period or period.isdigit()):
            yield from _quota(-1 if quota == "max" else int(quota), int(period or _DEFAULT_PERIOD_US))


def bit_mask(text: str) -> bytes:
    """A list of CPUs or memory nodes as bytes, the lowest numbers in the first.

    >>> bit_mask("0-1,9")
    b'\\x03\\x02'
    """
    mask = 0
    for part in text.split(","):
        first, _, last = part.strip().partition("-")
        if first:
            low, high = int(first), int(last or first)
            mask |= ((1 << high + 1) - 1) & ~((1 << low) - 1)
    return mask.to_bytes(max(1, (mask.bit_length() + 7) // 8), "little")


def unset(properties: Sequence[Property]) -> list[Property]:
    """The same limits as they are where nothing sets them: none, or an empty list."""
    return [
        (name, (kind, INFINITY if kind == "t" else b"" if kind == "ay" else []))
        for name, (kind, _) in properties
    ]


def annotated(annotations: Mapping[str, str]) -> list[Property]:
    """The properties that annotations ask for; a NAME that ends in Sec, in seconds, becomes systemd's NAME in USec.

    Raises:
        ConfigError: a name is no property's, or a value is not of a form that `variant` knows.
    """
    found = []
    for key, text in annotations.items():
        if not key.startswith(ANNOTATION):
            continue
        pointer = f"/annotations/{key.replace('~', '~0').replace('/', '~1')}"
        name = key.removeprefix(ANNOTATION)
        if len(name) < 3 or not name.isascii() or not name.isalpha():
            raise ConfigError(pointer, f"{name!r} is not the name of a systemd property")
        try:
            value = parse(text)
        except ValueError as error:
            raise ConfigError(pointer, str(error)) from error
        if name.endswith("Sec") and not name.endswith("USec"):
            name, value = f"{name.removesuffix('Sec')}USec", _microseconds(value, pointer)
        found.append((name, value))
    return found


def _microseconds(value: Variant, pointer: str) -> Variant:
    signature, number = value
    if signature not in "ynqiuxtd" or not 0 <= number <= 2**64 / _SECOND_US - 1:
        raise ConfigError(pointer, "must be a number of seconds")
    return "t", int(number * _SECOND_US)


def _or_infinity(value: int) -> int:
    return INFINITY if value < 0 else value
