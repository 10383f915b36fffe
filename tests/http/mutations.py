"""Small damages to a JSON value, drawn from a given chance."""

import copy
import random
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, cast

from eunoe.domain.messages import Json

Holder: TypeAlias = "dict[Any, Any] | list[Any]"

_VALUES: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 2**53, 2**63, 2**64 - 1, -(2**63), 1.5, 1e308, "", "x", "agent-0", "block-1",
    "message-0", "conv-0", "running", "0001-01-01T00:00:00", "9999-12-31T23:59:59Z", [], {}, [None],
    [[]], {"a": 1}, ["x", "x"], {"type": "text"}, "y" * 3_000,
)  # fmt: skip


def mutated(value: Json, chance: random.Random) -> Json:
    """Return a copy with one to three places changed, taken out, doubled or moved."""
    changed = copy.deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        holders = list(_holders(changed))
        holder = chance.choice(holders)
        _damage(holder, chance)
    return changed


def _holders(value: object) -> Iterator[Holder]:
    if isinstance(value, dict) and value:
        held = cast("dict[Any, Any]", value)
        yield held
        inside = list(held.values())
    elif isinstance(value, list) and value:
        inside = cast("list[Any]", value)
        yield inside
    else:
        inside = []
    for one in inside:
        yield from _holders(one)


def _damage(holder: Holder, chance: random.Random) -> None:
    keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = chance.choice(keys)
    match chance.randint(0, 3):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case 2 if len(keys) > 1:
            holder[key] = copy.deepcopy(holder[chance.choice(keys)])
        case _:
            holder[key] = copy.deepcopy(chance.choice(_VALUES))
