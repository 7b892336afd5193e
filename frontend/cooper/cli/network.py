"""`cooper network create`, `ls`, `inspect`, `rm`, `connect`, `disconnect`, `prune` and `reload`."""

from __future__ import annotations

from cooper.cli.command import BOOL, LIST, NETWORK, TEXT, Command, Flag, Invocation

COMMAND = Command(
    arguments="[NETWORK ...] [CONTAINER]",
    maximum=-1,
    completes=NETWORK,
    flags=(
        Flag("driver", "d", TEXT, "NAME", "create: bridge, macvlan, or a plug-in", "bridge"),
        Flag("subnet", "", LIST, "SUBNET", "create: as 10.1.2.0/24; one of each family"),
        Flag("gateway", "", LIST, "ADDRESS", "create: the gateway in a subnet; its first address otherwise"),
        Flag("ip-range", "", LIST, "SUBNET", "create: the part of a subnet that addresses are taken from"),
        Flag("internal", "", BOOL, text="create: nothing beyond the network can be reached"),
        Flag("ipv6", "", BOOL, text="create: an IPv6 subnet as well"),
        Flag("label", "", LIST, "NAME=VALUE", "create: a label"),
        Flag("opt", "o", LIST, "NAME=VALUE", "create: an option of the driver: parent, mtu, mode"),
        Flag("ip", "", TEXT, "ADDRESS", "connect: the address"),
        Flag("ip6", "", TEXT, "ADDRESS", "connect: the IPv6 address"),
        Flag("mac-address", "", TEXT, "ADDRESS", "connect: the Ethernet address"),
        Flag("alias", "", LIST, "NAME", "connect: one more name"),
        Flag("filter", "", LIST, "KEY=VALUE", "ls, prune: name, id, driver, scope, type, label, dangling, until"),
        Flag("format", "", TEXT, "TEMPLATE", "ls, inspect: json or a Go template"),
        Flag("quiet", "q", BOOL, text="ls: only the ids"),
        Flag("no-trunc", "", BOOL, text="ls: whole ids"),
        Flag("force", "f", BOOL, text="rm: disconnect containers; prune: do not ask"),
    ),
    examples=(
        ("cooper network create front", "a bridge with a free subnet"),
        ("cooper network create --subnet 10.9.0.0/24 --ipv6 back", "with this subnet, and an IPv6 one"),
        ("cooper network create --internal data", "its containers reach only each other"),
        ("cooper network create -d macvlan -o parent=eth0 --subnet 192.0.2.0/24 lan", "on the network of eth0"),
        ("cooper network connect --alias db front postgres", "a running container joins"),
        ("cooper network disconnect front postgres", "and leaves"),
        ("cooper network ls", "all networks"),
        ("cooper network inspect front", "its subnets, and who is on it"),
        ("cooper network rm front", "remove it"),
        ("cooper network prune", "remove those that nobody is on"),
        ("cooper network reload", "put back what a reload of the host's firewall has removed"),
    ),
)  # fmt: skip


def run(invocation: Invocation) -> int:
    """The network command is done."""
    from cooper.networks import commands

    name = invocation.command.removeprefix("network ")
    return getattr(commands, {"ls": "list_networks", "rm": "remove"}.get(name, name))(invocation)  # type: ignore[no-any-return]
