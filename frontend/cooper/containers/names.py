"""Names for containers that were given none: an adjective and a cooper's word."""

from __future__ import annotations

import posix

_ADJECTIVES = (
    "amber ample beamy bold brave bright brisk broad calm clear deft eager early fair fine firm fleet fresh glad"
    " golden grand handy hardy jolly keen kind late light lively lucky mellow merry mild neat nimble noble oaken plain"
    " proud quick quiet ready ripe round sharp silent sleek smart snug solid sound spare steady stout strong sturdy"
    " sunny sweet swift tall tidy trim true warm wise young zesty"
).split()
_NOUNS = (
    "adze anchor auger axe barrel basket beech bilge birch bung butt cask cedar chime churn cider croze drum elm"
    " firkin flag flask forge froe ginger hammer hazel hoop hogshead jointer kettle keg kilderkin larch mallet maple"
    " oak osier pail pear pin pine plane puncheon quarter rivet rundlet saw shave spigot spruce stave stopper tierce"
    " tub tun vat vessel walnut willow windlass yew"
).split()


def new_id() -> str:
    """64 hexadecimal digits. The first twelve are shown, and never all decimal: some would take them for a number."""
    while True:
        text = posix.urandom(32).hex()
        if not text[:12].isdigit():
            return text


def new_name(attempt: int) -> str:
    """A name, with a number from the second attempt on."""
    choice = int.from_bytes(posix.urandom(4), "little")
    adjective = _ADJECTIVES[choice % len(_ADJECTIVES)]
    noun = _NOUNS[choice // len(_ADJECTIVES) % len(_NOUNS)]
    return f"{adjective}_{noun}" + (str(choice % 1000) if attempt else "")
