"""What agents may be called, and names for those that were given none (api 6.5)."""

import secrets
import unicodedata
from typing import Final

_ADJECTIVES: Final = (
    "Amber", "Ancient", "Autumn", "Bold", "Bright", "Brisk", "Calm", "Candid", "Clear", "Clever",
    "Copper", "Coral", "Crisp", "Curious", "Daring", "Deft", "Distant", "Eager", "Early", "Earnest",
    "Fearless", "Fleet", "Frosty", "Gentle", "Gilded", "Golden", "Graceful", "Hardy", "Hidden",
    "Humble", "Indigo", "Ivory", "Jolly", "Keen", "Kind", "Lively", "Lucid", "Lunar", "Mellow",
    "Merry", "Mild", "Misty", "Nimble", "Noble", "Patient", "Placid", "Polar", "Proud", "Quiet",
    "Rapid", "Rustic", "Sage", "Scarlet", "Serene", "Silent", "Silver", "Steady", "Stellar",
    "Sunny", "Swift", "Tidal", "Vivid", "Warm", "Wild", "Wise", "Witty",
)  # fmt: skip
_NOUNS: Final = (
    "Acorn", "Albatross", "Anchor", "Aspen", "Badger", "Beacon", "Birch", "Brook", "Canyon",
    "Cedar", "Comet", "Compass", "Condor", "Crane", "Creek", "Cypress", "Delta", "Dolphin",
    "Dune", "Eagle", "Ember", "Falcon", "Fern", "Finch", "Fjord", "Fox", "Gale", "Glacier", "Grove",
    "Harbor", "Harvest", "Hawk", "Heron", "Island", "Jasper", "Juniper", "Kestrel", "Lagoon",
    "Lantern", "Lark", "Lynx", "Maple", "Marten", "Meadow", "Meteor", "Mountain", "Nebula",
    "Oak", "Orchard", "Osprey", "Otter", "Owl", "Pebble", "Pine", "Prairie", "Quartz", "Raven",
    "Reef", "River", "Robin", "Sparrow", "Spruce", "Summit", "Thistle", "Tide", "Willow",
)  # fmt: skip


def random_name() -> str:
    """Return a name in capitalised camel case; names are not unique."""
    return secrets.choice(_ADJECTIVES) + secrets.choice(_NOUNS)


def plain(name: str) -> str:
    """Return `name` with `_` for whatever no name holds.

    Names hold letters of any script with their marks, digits, spaces, `-`, `_` and `'`.
    """
    return "".join(one if _is_plain(one) else "_" for one in name)


def is_name(text: str) -> bool:
    return text != "" and plain(text) == text


def _is_plain(one: str) -> bool:
    return one.isalnum() or one in " -_'" or unicodedata.category(one).startswith("M")
