"""Every behaviour that the server is held to: the rule's id and one sentence.

A test names the rules it holds the server to with `@pytest.mark.rule("G-12", "api-8.4")`.
`test_requirements` sees to it that no requirement is without a test, and no test holds the
server to a rule that is not here.
"""

import itertools
import re
from collections.abc import Mapping
from typing import Final

from tests.contract.rules import agent, api, fixes, models, seed, streaming

AREAS: Final[Mapping[str, Mapping[str, str]]] = {
    "agent": agent.RULES,
    "api": api.RULES,
    "fixes": fixes.RULES,
    "models": models.RULES,
    "seed": seed.RULES,
    "streaming": streaming.RULES,
}
REQUIREMENTS: Final[Mapping[str, str]] = dict(
    itertools.chain.from_iterable(area.items() for area in AREAS.values())
)
FORM: Final = re.compile(
    r"(?:(?:api|streaming|agent)-[0-9]+(?:\.[0-9]+)?|(?:G|FIX)-[0-9]+[a-z]?|[A-Z]{1,2}[0-9]+[a-z]?)"
)
"""`api-8.4`, `streaming-2.15` and `agent-10.4` are sections, all other ids are single rules."""


def order(rule: str) -> tuple[str, tuple[int, ...], str]:
    """Return what rules are sorted by: their kind, then their numbers."""
    kind = re.match(r"[A-Za-z]+", rule)
    numbers = tuple(int(one) for one in re.findall(r"[0-9]+", rule))
    return kind[0] if kind else "", numbers, rule
