"""docs/networking.md shows the rules as they are."""

from __future__ import annotations

from pathlib import Path

from cooper.networks.attach import table_name

from .world import World

PAGE = Path(__file__).parents[3] / "docs/networking.md"


def test_the_rules_on_the_page(world: World) -> None:
    """On a host with the default network and one named back, a container on each, and one published port."""
    world.network("back", subnets=["10.9.0.0/24"], internal=True)
    world.container("web", ports=("8080:80", "127.0.0.1:5300:53/udp"))
    world.container("db", "back")
    rules = world.host.run("nft", "-s", "list", "ruleset")
    rules = rules.replace(world.store.network("back").interface, "cn-5f0c2a9d1b3e")
    rules = rules.replace(table_name(world.settings), "cooper")
    shown = PAGE.read_text().partition("```nft\n")[2].partition("```")[0]
    assert sorted(shown.split()) == sorted(rules.split()), rules  # nft chooses the order of elements
