"""The packet filter's rules, as values: pure functions of the networks and the published ports.

One table of our own, ``inet cooper``, which is always replaced as a whole. What a network needs are rules, what a
published port needs are elements of four maps (two per family, as libnftables-json takes no map to pairs).
docs/networking.md shows them as nft prints them, with a packet's way through them.

The JSON is that of libnftables-json(5).
"""

from __future__ import annotations

from cooper.networks.requests import PROTOCOLS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from cooper.networks.addresses import Subnet
    from cooper.networks.requests import Port

    JSON = dict[str, Any]

FAMILY = "inet"
# Priorities as nft(8) names them: raw, dstnat, filter, srcnat.
RAW, DSTNAT, FILTER, SRCNAT = -300, -100, 0, 100
# family -> protocol in nft, type of its addresses, every address, multicast
PROTOCOL = {4: "ip", 6: "ip6"}
ADDRESS_TYPE = {4: "ipv4_addr", 6: "ipv6_addr"}
ANY = {"0.0.0.0": 4, "::": 6}
# What containers ask is led from port 53 to where the name server listens, as a container may publish its own 53.
DNS_PORT, NAMES_PORT = 53, 5533


class Bridge:
    """What the rules need to know of a network.

    Attributes:
        subnets: each with the host's address in it.
    """

    __slots__ = ("interface", "internal", "subnets")

    def __init__(self, interface: str, internal: bool, subnets: Sequence[tuple[Subnet, str]]) -> None:
        self.interface = interface
        self.internal = internal
        self.subnets = tuple(subnets)


class Published:
    """A published port, and where it leads.

    Attributes:
        addresses: family -> the container's address.
    """

    __slots__ = ("port", "addresses")

    def __init__(self, port: Port, addresses: dict[int, str]) -> None:
        self.port = port
        self.addresses = addresses


def table(
    name: str, bridges: Sequence[Bridge], published: Iterable[Published], terminate: bool
) -> list[JSON]:
    """Commands that put the whole table in the place of what there was, in one transaction.

    Args:
        name: the table's.
        terminate: whether connections from outside to published ports are to end at the host's sockets, as the
            host filters what comes in to it and would not see what is forwarded.
    """
    whole: JSON = {"table": {"family": FAMILY, "name": name}}
    if not bridges:
        return [{"add": whole}, {"delete": whole}]
    commands: list[JSON] = []
    for family in (4, 6):
        for kind, data in (("address", ADDRESS_TYPE[family]), ("port", "inet_service")):
            types = [ADDRESS_TYPE[family], "inet_proto", "inet_service"]
            commands.append(_add("map", name=_map(kind, family), type=types, map=data, flags=["interval"]))
    commands += _chain("guard", "filter", "prerouting", RAW)
    commands += _chain("prerouting", "nat", "prerouting", DSTNAT)
    commands += _chain("output", "nat", "output", DSTNAT)
    commands += _chain("postrouting", "nat", "postrouting", SRCNAT)
    commands += _chain("forward", "filter", "forward", FILTER)
    commands += _chain("input", "filter", "input", FILTER)
    commands.append(_add("chain", name="published"))

    for family in (4, 6):
        key = {"concat": [_field(family, "daddr"), {"meta": {"key": "l4proto"}}, _payload("th", "dport")]}
        translation = {
            "family": PROTOCOL[family],
            "addr": {"map": {"key": key, "data": f"@{_map('address', family)}"}},
            "port": {"map": {"key": key, "data": f"@{_map('port', family)}"}},
        }
        commands.append(
            _rule(
                "published",
                _is({"meta": {"key": "l4proto"}}, {"set": list(PROTOCOLS)}),
                {"dnat": translation},
            )
        )
    to_host = _is({"fib": {"result": "type", "flags": ["daddr"]}}, "local")
    for bridge in bridges:
        commands += _names_rules(bridge)
    ours: Any = {"set": [bridge.interface for bridge in bridges]}
    if terminate:
        commands.append(_rule("prerouting", _is(_meta("iifname"), ours), to_host, _jump("published")))
    else:
        commands.append(_rule("prerouting", to_host, _jump("published")))
    # Packets from ::1 leave the loopback interface for nowhere; the proxy takes these.
    commands.append(_rule("output", _is(_field(6, "daddr"), "::1"), {"accept": None}))
    commands.append(_rule("output", to_host, _jump("published")))
    for bridge in bridges:
        commands += _bridge_rules(bridge, ours)
    commands += _publish(published)
    for command in commands:
        for properties in command["add"].values():
            properties.update(family=FAMILY, table=name)
    return [{"add": whole}, {"delete": whole}, {"add": whole}, *commands]


def _names_rules(bridge: Bridge) -> list[JSON]:
    """What is asked at the network's own address goes to the name server."""
    outward = _is(_meta("iifname"), bridge.interface)
    return [
        _rule(
            "prerouting",
            outward,
            _is(_field(subnet.family, "daddr"), gateway),
            _is(_payload(protocol, "dport"), DNS_PORT),
            {"redirect": {"port": NAMES_PORT}},
        )
        for subnet, gateway in bridge.subnets
        for protocol in PROTOCOLS
    ]


def _bridge_rules(bridge: Bridge, ours: Any) -> list[JSON]:
    inward, outward = _is(_meta("oifname"), bridge.interface), _is(_meta("iifname"), bridge.interface)
    elsewhere = _is(_meta("oifname"), bridge.interface, "!=")
    translated = _is({"ct": {"key": "status"}}, "dnat", "in")
    known = _is({"ct": {"key": "state"}}, ["established", "related"], "in")
    commands = [_rule("guard", outward, _is(_field(4, "daddr"), _prefix("127.0.0.0", 8)), {"drop": None})]
    for subnet, _ in bridge.subnets:
        source = _is(_field(subnet.family, "saddr"), _subnet(subnet))
        if not bridge.internal:
            commands.append(_rule("postrouting", source, elsewhere, {"masquerade": None}))
        # To a published port of one's own network: the answer has to come back this way.
        commands.append(_rule("postrouting", source, inward, translated, {"masquerade": None}))
        if subnet.family == 4:
            loopback = _is(_field(4, "saddr"), _prefix("127.0.0.0", 8))
            commands.append(_rule("postrouting", loopback, inward, {"masquerade": None}))
    if bridge.internal:
        commands += [
            _rule("forward", outward, elsewhere, {"drop": None}),
            _rule("forward", inward, _is(_meta("iifname"), bridge.interface, "!="), {"drop": None}),
            _rule("input", outward, known, {"accept": None}),
            _rule("input", outward, _is({"meta": {"key": "l4proto"}}, {"set": list(PROTOCOLS)}),
                  _is(_payload("th", "dport"), NAMES_PORT), {"accept": None}),
            _rule("input", outward, _is({"meta": {"key": "l4proto"}}, "ipv6-icmp"), {"accept": None}),
            _rule("input", outward, {"drop": None}),
        ]  # fmt: skip
        return commands
    commands.append(_rule("forward", outward, inward, {"accept": None}))
    for subnet, _ in bridge.subnets:
        foreign = _is(_field(subnet.family, "saddr"), _subnet(subnet), "!=")
        commands.append(_rule("forward", outward, foreign, {"drop": None}))
    commands += [
        _rule("forward", inward, known, {"accept": None}),
        _rule("forward", inward, translated, {"accept": None}),
        _rule("forward", inward, {"drop": None}),
    ]
    return commands


def _publish(published: Iterable[Published]) -> list[JSON]:
    """Commands that add the elements of the ports to the maps."""
    elements: dict[str, list[Any]] = {}
    for each in published:
        port = each.port
        for host in port.host_addresses():
            family = 6 if ":" in host else 4
            if family not in each.addresses:
                continue  # the proxy's: a translation cannot cross from one family to the other
            address: Any = _prefix(host, 0) if host in ANY else host
            key = {"concat": [address, port.protocol, port.host_port]}
            elements.setdefault(_map("address", family), []).append([key, each.addresses[family]])
            elements.setdefault(_map("port", family), []).append([key, port.container_port])
    return [_add("element", name=name, elem=elem) for name, elem in elements.items()]


def _map(kind: str, family: int) -> str:
    return f"{kind}{family}"


def _add(what: str, **properties: Any) -> JSON:
    return {"add": {what: properties}}


def _chain(name: str, kind: str, hook: str, priority: int) -> list[JSON]:
    return [_add("chain", name=name, type=kind, hook=hook, prio=priority, policy="accept")]


def _rule(chain: str, *expressions: JSON) -> JSON:
    return _add("rule", chain=chain, expr=list(expressions))


def _is(left: JSON, right: Any, operator: str = "==") -> JSON:
    return {"match": {"op": operator, "left": left, "right": right}}


def _jump(chain: str) -> JSON:
    return {"jump": {"target": chain}}


def _meta(key: str) -> JSON:
    return {"meta": {"key": key}}


def _payload(protocol: str, field: str) -> JSON:
    return {"payload": {"protocol": protocol, "field": field}}


def _field(family: int, field: str) -> JSON:
    return _payload(PROTOCOL[family], field)


def _prefix(address: str, length: int) -> JSON:
    return {"prefix": {"addr": address, "len": length}}


def _subnet(subnet: Subnet) -> JSON:
    address, _, length = str(subnet).partition("/")
    return _prefix(address, int(length))
