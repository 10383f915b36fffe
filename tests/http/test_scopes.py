"""Every route has a class: the least scope that opens it, and whether it is about one agent."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe import ids
from eunoe.domain.keys import SCOPES, Key
from eunoe.http.api import build_api
from eunoe.http.scopes import deed_of
from eunoe.store.db import from_micros
from tests.contract.served import closed

NOW = from_micros(0)
AGENT, OTHER = ids.new("agent"), ids.new("agent")
OWNED = {"run_id": ids.new("run"), "conversation_id": ids.new("conversation")}
CLASSES = Path(__file__).with_name("route_scopes.txt")


def routes() -> list[tuple[str, str]]:
    """Return (method, template) of everything that the application serves."""
    app = build_api(closed, version="0")
    return [
        (method, str(getattr(route, "path", "")))
        for route in app.routes
        for method in sorted((getattr(route, "methods", None) or {"*"}) - {"HEAD"})
    ]


def filled(template: str) -> str:
    named = {"agent_id": AGENT, **OWNED}
    return re.sub(r"\{(\w+)[^}]*\}", lambda found: named.get(found[1], "x"), template)


@pytest.mark.rule("api-1.11")
def test_every_route_is_classified_here() -> None:
    """Whoever adds a route says here, by hand, what opens it: `scope one|all METHOD path`."""
    said = CLASSES.read_text(encoding="utf-8").splitlines()
    found: list[str] = []
    for method, template in routes():
        deed = deed_of(method, filled(template))
        about = "one" if deed.agent_id or deed.of else "all"
        found.append(f"{deed.scope} {about} {method} {template}")
    assert sorted(found) == sorted(said)
    reading = [one for one in said if one.startswith("read") and " GET " not in one]
    asks = re.compile(r" POST \S*/(?:search|preview-raw-payload|export|stream)$")
    assert [one for one in reading if asks.search(one) is None] == []


@pytest.mark.rule("api-1.11")
@given(st.text(), st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"]))
def test_what_is_not_classified_is_for_administrators(rest: str, method: str) -> None:
    for path in (f"/{rest}", f"/v1/new-noun/{rest}", f"/v1/admin/{rest}", f"/v1/keys/{rest}"):
        if not path.startswith(("/v1/agents", "/mcp", "/openapi.json")):
            assert deed_of(method, path).scope == "admin", path


@pytest.mark.rule("api-1.11")
@pytest.mark.parametrize("scope", SCOPES)
def test_a_key_of_one_agent_opens_no_more_than_one_of_all(scope: str) -> None:
    def key(*agent_ids: str) -> Key:
        return Key(
            id="",
            organization_id="",
            user_id="",
            name="",
            scope=scope,  # pyright: ignore[reportArgumentType] -- one of the scopes
            agent_ids=agent_ids,
            created_at=NOW,
        )

    opened = {"all": 0, "one": 0}
    for method, template in routes():
        deed = deed_of(method, filled(template))
        by_all = key().allows(deed.scope, agent_id=deed.agent_id)
        by_one = key(AGENT).allows(deed.scope, agent_id=deed.agent_id)
        assert by_all or not by_one
        assert not key(OTHER).allows(deed.scope, agent_id=deed.agent_id)
        opened["all"] += by_all
        opened["one"] += by_one
    assert 0 < opened["one"] < opened["all"]
