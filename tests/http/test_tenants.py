"""No route lets one organization see, change or link to what another has (api 1.11.6)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.http.scopes import deed_of
from tests.contract.served import document
from tests.fixtures.apis import SDK
from tests.http.tenants import EMBEDDING, MODEL, Tenant, stored, tenant
from tests.runs.conftest import World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-1.11", "api-2.8")]

MANY: Final = 150
_PARAMETER: Final = re.compile(r"\{(\w+)[^}]*\}")
_SAID: Final[Json] = {"messages": [{"role": "user", "content": "x"}]}
_CONFIG: Final[Json] = {"mcp_server_type": "sse", "server_url": "https://heron.invalid/sse"}
BODIES: Final[dict[str, Any]] = {
    "PATCH /v1/agents/{agent_id}/tools/approval/{tool_name}": {"requires_approval": True},
    "PATCH /v1/mcp-servers/{mcp_server_id}": {"config": _CONFIG},
    "PATCH /v1/providers/{provider_id}": {"api_key": "k"},
    "POST /v1/agents/": {"model": MODEL, "embedding": EMBEDDING},
    "POST /v1/agents/messages/search": {"query": "zebra"},
    "POST /v1/agents/{agent_id}/archival-memory": {"text": "x"},
    "POST /v1/agents/{agent_id}/generate": {"prompt": "x"},
    "POST /v1/agents/{agent_id}/messages": _SAID,
    "POST /v1/agents/{agent_id}/messages/async": _SAID,
    "POST /v1/agents/{agent_id}/messages/preview-raw-payload": _SAID,
    "POST /v1/agents/{agent_id}/messages/stream": _SAID,
    "POST /v1/agents/{agent_id}/schedule": {
        **_SAID,
        "schedule": {"type": "one-time", "scheduled_at": 4_000_000_000_000},
    },
    "POST /v1/archives/": {"name": "x"},
    "POST /v1/archives/{archive_id}/passages": {"text": "x"},
    "POST /v1/archives/{archive_id}/passages/batch": {"passages": [{"text": "x"}]},
    "POST /v1/blocks/": {"label": "x", "value": "x"},
    "POST /v1/chat/completions": _SAID,
    "POST /v1/client-side-access-tokens": {"hostname": "https://heron.example.org"},
    "POST /v1/conversations/{conversation_id}/messages": _SAID,
    "POST /v1/conversations/{conversation_id}/messages/preview-raw-payload": _SAID,
    "POST /v1/folders/": {"name": "x"},
    "POST /v1/groups/": {"description": "x"},
    "POST /v1/groups/{group_id}/messages": _SAID,
    "POST /v1/groups/{group_id}/messages/stream": _SAID,
    "POST /v1/messages/search": {"query": "zebra"},
    "POST /v1/passages/search": {"query": "zebra"},
    "POST /v1/openai/chat/completions": _SAID,
    "POST /v1/openai/responses": {"input": "x"},
    "POST /v1/responses": {"input": "x"},
    "POST /v1/sandbox-config/{sandbox_config_id}/environment-variable": {"key": "K", "value": "v"},
    "PATCH /v1/templates/{template_name}": {"agent_file_json": {"agents": [{"id": "agent-0"}]}},
    "POST /v1/blocks/{block_id}/revert": {"version": 1},
    "POST /v1/templates": {"type": "agent", "name": "x"},
    "POST /v1/templates/{template_name}/rollback": {"version": "latest"},
    "POST /v1/tools/search": {"query": "zebra"},
    "POST /v1/voice-beta/{agent_id}/chat/completions": _SAID,
    "PUT /v1/budgets/{subject}/{period}": {"limit_usd": 1},
    "PUT /v1/identities/": {"identifier_key": "x", "name": "x", "identity_type": "user"},
    "PUT /v1/identities/{identity_id}/properties": [],
}
"""A body for each route that wants one, so that nothing but an id in the request is wrong."""
QUERIES: Final = {"GET /v1/agents/{agent_id}/archival-memory/search": {"query": "x"}}
_NOBODYS: Final[dict[str, tuple[int, str | None]]] = {
    "GET /v1/archives/{archive_id}/agents": (200, "[]"),
    "GET /v1/environments/{device_id}": (501, None),
    "GET /v1/steps/{step_id}/trace": (200, "null"),
    "GET /v1/telemetry/{step_id}": (200, "null"),
    "GET /v1/tools/mcp/oauth/callback": (200, None),
    "PATCH /v1/agents/{agent_id}/messages/{message_id}": (405, None),
    "PATCH /v1/groups/{group_id}/messages/{message_id}": (405, None),
    "POST /v1/environments/{connection_id}/messages": (501, None),
}
"""Routes that say the same of every id, there or not; all else is 404."""
_OF_OWN: Final = (
    "PATCH /v1/agents/{agent_id}/tools/approval/{tool_name}",
    "PATCH /v1/agents/{agent_id}/tools/detach/{tool_id}",
)
"""What an agent has not is no failure to take away or to ask for; the answer is null."""
_KINDS: Final = {
    "manager_agent_id": "agent_id",
    "source_id": "folder_id",
    "shared_block_id": "block_id",
    "org_id": "organization_id",
}
_OWN: Final = {
    "GET /v1/environments": 501,
    "GET /v1/environments/{device_id}": 501,
    "GET /v1/mcp-servers/{mcp_server_id}/tools/{tool_id}": 404,
}
"""What a list or a thing of one's own answers, where that is not 200."""
_ID_LENGTH: Final = 30
_IDS: Final = re.compile(r"(\w+_id)(s?)$")


@dataclass(slots=True, kw_only=True)
class _Asking:
    """Asks as one organization for what another has, and gathers what is wrong with the answers."""

    http: httpx.AsyncClient
    own: Tenant
    theirs: Tenant
    wrong: list[str] = field(default_factory=list[str])
    asked: int = 0

    async def __call__(
        self, route: str, ids: Mapping[str, str], body: Any = None, **params: Any
    ) -> httpx.Response:
        method, path = route.split(" ", 1)
        self.asked += 1
        reply = await self.http.request(
            method,
            filled(path, ids),
            params={**QUERIES.get(route, {}), **params},
            headers={**self.own.headers, **SDK, "user_id": self.theirs.user_id},
            **_sent(route, body),
        )
        self.look(route, reply, about=[*ids.values(), *map(str, params.values()), str(body)])
        return reply

    def look(self, route: str, reply: httpx.Response, *, about: Sequence[str]) -> None:
        """Note an answer that fails, or holds what was not in the question."""
        said = " ".join(about)
        shown = [one for one in self.theirs.secrets() if one not in said and one in reply.text]
        if shown or (reply.status_code >= 500 and reply.status_code != 501):
            self.note(route, reply, f"shows {shown}")

    def note(self, route: str, reply: httpx.Response, what: str) -> None:
        self.wrong.append(f"{route}: {what}: {reply.status_code} {reply.text[:200]}")


def filled(path: str, ids: Mapping[str, str]) -> str:
    return _PARAMETER.sub(lambda found: ids.get(found[1], "x"), path)


def _sent(route: str, body: Any) -> dict[str, Any]:
    if route.endswith("/upload"):
        return {"files": {"file": ("x.txt", b"x", "text/plain")}}
    if route.endswith("/import"):
        return {"files": {"file": ("x.af", b"{}", "application/json")}}
    return {} if body is None else {"json": body}


def operations() -> dict[str, Json]:
    """Return every operation of the document, by method and path."""
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


def foreign_paths(route: str, *, theirs: Tenant, own: Tenant) -> Iterator[Mapping[str, str]]:
    """Yield ids to fill the path with: all of the other organization, and each beside own ones."""
    names = _PARAMETER.findall(route)
    yield theirs.ids
    if len(names) > 1:
        for name in names:
            if theirs.ids.get(name) != own.ids.get(name):
                yield {**own.ids, name: theirs.ids[name]}


def foreign_fields(operation: Json, theirs: Tenant) -> Iterator[Json]:
    """Yield one field of the body at a time, with an id of the other organization."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    for name in sorted(set(_properties(content.get("schema", {})))):
        value = _foreign(name, theirs)
        if value is not None:
            yield {name: value}
        if name == "policy":
            yield {
                name: [{"type": "agent", "id": theirs.ids["agent_id"], "access": ["read_agent"]}]
            }
        if name == "requests":
            yield {name: [{**_SAID, "agent_id": theirs.ids["agent_id"]}]}
        if name in {"model", "agent"}:
            yield {name: f"agent:{theirs.ids['agent_id']}"}
            yield {name: theirs.ids["agent_id"]}


def _foreign(name: str, theirs: Tenant) -> Any:
    found = _IDS.fullmatch(name)
    if found is None:
        return None
    value = theirs.ids.get(_KINDS.get(found[1], found[1]))
    return [value] if found[2] and value else value


def _properties(schema: Json) -> Iterator[str]:
    if "$ref" in schema:
        schema = document()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    yield from schema.get("properties", {})
    for choice in ("anyOf", "oneOf", "allOf"):
        for one in schema.get(choice, []):
            yield from _properties(one)


@pytest.fixture
async def asking(http: httpx.AsyncClient, world: World) -> _Asking:
    theirs = await tenant(http, world.db, "zebra")
    return _Asking(http=http, own=await tenant(http, world.db, "heron"), theirs=theirs)


async def _unchanged(world: World, before: dict[str, set[str]], theirs: Tenant) -> list[str]:
    """Return what of the other organization was changed or linked to."""
    after = await stored(world.db)
    ids = [one for one in theirs.ids.values() if len(one) > _ID_LENGTH]
    ids.append(theirs.organization_id)
    found: list[str] = []
    for table, rows in before.items():
        lost = rows - after[table]
        gone = [one for one in lost if any(word in one for word in (*ids, theirs.word))]
        new = [one for one in after[table] - rows if any(word in one for word in ids)]
        found += [f"{table}: {one[:300]}" for one in (*gone, *new)]
    return found


async def test_ids_in_paths(asking: _Asking, world: World) -> None:
    before = await stored(world.db)
    routes = operations()
    named = {name for route in routes for name in _PARAMETER.findall(route)}
    assert named - asking.theirs.ids.keys() == {"device_id", "connection_id"}
    for route in routes:
        if "{" not in route:
            continue
        for ids in foreign_paths(route, theirs=asking.theirs, own=asking.own):
            body = BODIES.get(route, {} if "requestBody" in routes[route] else None)
            reply = await asking(route, ids, body)
            status, text = _NOBODYS.get(route, (404, None))
            if deed_of(*route.split(" ", 1)).scope == "admin":
                status = 403
            elif route in _OF_OWN and ids["agent_id"] == asking.own.ids["agent_id"]:
                status, text = 200, "null"
            if reply.status_code != status or text not in {None, reply.text}:
                asking.note(route, reply, f"is not {status}")
    assert asking.asked > MANY
    assert asking.wrong == [], "\n".join(asking.wrong)
    assert await _unchanged(world, before, asking.theirs) == []


async def test_lists_and_ids_in_queries_and_bodies(asking: _Asking, world: World) -> None:
    before = await stored(world.db)
    for route, operation in operations().items():
        if route.startswith("DELETE") or deed_of(*route.split(" ", 1)).scope == "admin":
            continue
        own = asking.own.ids
        body = BODIES.get(route, {} if "requestBody" in operation else None)
        if route.startswith("GET"):
            reply = await asking(route, own)
            if reply.status_code != _OWN.get(route, 200):
                asking.note(route, reply, "does not show what is its own")
        elif "/search" in route:
            await asking(route, own, body)
        for one in operation.get("parameters", []):
            value = _foreign(one["name"], asking.theirs) if one["in"] == "query" else None
            if value is not None:
                await asking(route, own, body, **{one["name"]: value})
        for changed in foreign_fields(operation, asking.theirs):
            await asking(route, own, {**(body or {}), **changed})
    assert asking.asked > MANY
    assert asking.wrong == [], "\n".join(asking.wrong)
    assert await _unchanged(world, before, asking.theirs) == []
