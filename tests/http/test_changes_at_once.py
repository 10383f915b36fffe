"""Two changes of one thing at once: who comes second keeps what the first has changed."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx
import pytest

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.runs import Step
from eunoe.store import steps
from eunoe.store.db import Actor
from tests.fixtures.apis import EMBEDDING, Api
from tests.fixtures.databases import waited_for

pytestmark = pytest.mark.anyio


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """How a thing of a kind is made, and changed by two: by SQL (their part) and by PATCH (ours)."""

    path: str
    body: Json
    theirs: str
    ours: Json
    shown: Json
    """What its answer says of both changes."""


CONFIG = """UPDATE sandbox_configs SET config_json =
    '{"timeout": 7, "template": null, "pip_requirements": null}' WHERE id = $1"""
THINGS = {
    "archive": Thing(
        path="/v1/archives/",
        body={"name": "before"},
        theirs="UPDATE archives SET description = 'theirs' WHERE id = $1",
        ours={"name": "ours"},
        shown={"name": "ours", "description": "theirs"},
    ),
    "folder": Thing(
        path="/v1/folders/",
        body={"name": "before", "embedding": EMBEDDING},
        theirs="UPDATE folders SET description = 'theirs' WHERE id = $1",
        ours={"instructions": "ours"},
        shown={"instructions": "ours", "description": "theirs"},
    ),
    "identity": Thing(
        path="/v1/identities/",
        body={"name": "before", "identifier_key": "k", "identity_type": "user"},
        theirs="UPDATE identities SET name = 'theirs' WHERE id = $1",
        ours={"identity_type": "org"},
        shown={"identity_type": "org", "name": "theirs"},
    ),
    "provider": Thing(
        path="/v1/providers/",
        body={"name": "mine", "provider_type": "openai", "api_key": "k"},
        theirs="UPDATE providers SET region = 'theirs' WHERE id = $1",
        ours={"api_key": "ours", "api_version": "ours"},
        shown={"api_version": "ours", "region": "theirs"},
    ),
    "sandbox": Thing(
        path="/v1/sandbox-config/",
        body={"config": {"template": "before"}},
        theirs=CONFIG,
        ours={"config": {"template": "ours"}},
        shown={"config": {"timeout": 7, "template": "ours", "pip_requirements": None}},
    ),
    "tool": Thing(
        path="/v1/tools/",
        body={
            "source_code": "def roll():\n    '''Roll.'''",
            "description": "before",
            "source_type": "python",
        },
        theirs="UPDATE tools SET body_json = replace(body_json, 'before', 'theirs') WHERE id = $1",
        ours={"tags": ["ours"]},
        shown={"tags": ["ours"], "description": "theirs"},
    ),
}


async def changed_by_two(api: Api, thing: Thing, made: Json, patched: str) -> Json:
    async with asyncio.timeout(30), asyncio.TaskGroup() as group, api.db.write(Actor()) as tx:
        await tx.execute(thing.theirs, made["id"])
        waiting = group.create_task(api.sdk.patch(patched, json=thing.ours))
        await waited_for(api.db)
    reply: httpx.Response = waiting.result()
    assert reply.status_code == 200, reply.text
    answer: Json = reply.json()
    return answer


@pytest.mark.rule("api-4.6", "G-2")
@pytest.mark.parametrize("kind", THINGS)
async def test_a_change_that_waited_keeps_what_another_changed(api: Api, kind: str) -> None:
    thing = THINGS[kind]
    made = await api.made(thing.path, **thing.body)
    path = f"{thing.path}{made['id']}"
    answer = await changed_by_two(api, thing, made, path)
    assert answer.items() >= thing.shown.items()


@pytest.mark.rule("api-23.3", "G-2")
async def test_a_variable_keeps_the_description_that_another_gave(api: Api) -> None:
    config = await api.made("/v1/sandbox-config/", config={})
    path = f"/v1/sandbox-config/{config['id']}/environment-variable"
    made = await api.made(path, key="K", value="before")
    thing = Thing(
        path=path,
        body={},
        theirs="UPDATE sandbox_variables SET description = 'theirs' WHERE id = $1",
        ours={"value": "ours"},
        shown={},
    )
    answer = await changed_by_two(
        api, thing, made, f"/v1/sandbox-config/environment-variable/{made['id']}"
    )
    assert (answer["value"], answer["description"]) == ("ours", "theirs")


@pytest.mark.rule("api-19.4", "G-2")
async def test_feedback_keeps_what_a_run_settled_meanwhile(api: Api) -> None:
    agent = await api.agent()
    step = Step(
        id=ids.new("step"),
        run_id=None,
        agent_id=agent["id"],
        status="success",
        created_at=datetime.now(UTC),
        trace_id="before",
    )
    async with api.db.write(Actor()) as tx:
        await steps.insert(tx, step)
    thing = Thing(
        path="/v1/steps/",
        body={},
        theirs="UPDATE steps SET trace_id = 'theirs' WHERE id = $1",
        ours={"feedback": "positive", "tags": ["ours"]},
        shown={},
    )
    answer = await changed_by_two(api, thing, {"id": step.id}, f"/v1/steps/{step.id}/feedback")
    assert (answer["trace_id"], answer["tags"]) == ("theirs", ["ours"])
