"""Runs and steps after and during the fact (api 19, streaming 4 and 5)."""

from typing import Any

import anyio
import httpx
import pytest
from letta_client import AsyncLetta

from eunoe.ids import new
from eunoe.store import events
from tests.http.reading import frames, kinds
from tests.runs.conftest import ACTOR, World

pytestmark = pytest.mark.anyio


async def sent(world: World, http: httpx.AsyncClient, text: str, **body: object) -> tuple[str, str]:
    """Send a message to a new agent; return the ids of agent and run."""
    agent = await world.agent()
    answer = await http.post(f"/v1/agents/{agent.id}/messages", json={"input": text, **body})
    return agent.id, answer.headers["x-letta-run-id"]


@pytest.mark.rule("api-19.1", "api-19.2", "api-4.1")
async def test_a_finished_run(world: World, http: httpx.AsyncClient, letta: AsyncLetta) -> None:
    agent_id, run_id = await sent(world, http, "CALL look {}")
    run = await letta.runs.retrieve(run_id)
    assert (run.status, run.stop_reason, run.agent_id) == ("completed", "end_turn", agent_id)
    assert run.ttft_ns
    assert run.total_duration_ns
    raw = (await http.get(f"/v1/runs/{run_id}")).json()
    assert raw["created_at"].endswith("Z")
    assert raw["completed_at"].endswith("Z")
    metrics = (await http.get(f"/v1/runs/{run_id}/metrics")).json()
    assert (metrics["num_steps"], metrics["run_ns"]) == (2, run.total_duration_ns)
    assert metrics["tools_used"] == []


@pytest.mark.rule("G-18")
async def test_usage_is_the_sum_of_the_steps(
    world: World, http: httpx.AsyncClient, letta: AsyncLetta
) -> None:
    _, run_id = await sent(world, http, "STEPS 2")
    usage = await letta.runs.usage.retrieve(run_id)
    steps = [step async for step in letta.runs.steps.list(run_id)]
    assert len(steps) == 3
    assert usage.total_tokens == sum(step.total_tokens or 0 for step in steps)
    assert usage.prompt_tokens == sum(step.prompt_tokens or 0 for step in steps)


@pytest.mark.rule("api-5.3", "api-5.7", "api-8.14", "api-19.2")
async def test_messages_of_a_run(world: World, http: httpx.AsyncClient, letta: AsyncLetta) -> None:
    _, run_id = await sent(world, http, "CALL look {}")
    page = await letta.runs.messages.list(run_id)
    kinds_ = [one.message_type for one in page.items]
    assert kinds_[0] == "user_message"
    assert kinds_[-1] == "assistant_message"
    assert "tool_return_message" in kinds_
    backwards = await letta.runs.messages.list(run_id, order="desc")
    assert [one.message_type for one in backwards.items] == kinds_[::-1]
    met = [one async for one in letta.runs.messages.list(run_id, order="desc", limit=1)]
    assert [one.message_type for one in met] == kinds_[::-1]
    only = ["tool_return_message"]
    _, filtered = await sent(world, http, "CALL look {}", include_return_message_types=only)
    page = await letta.runs.messages.list(filtered)
    assert [one.message_type for one in page.items] == only


@pytest.mark.rule("streaming-4.3", "api-5.11")
async def test_listing_runs(world: World, http: httpx.AsyncClient, letta: AsyncLetta) -> None:
    agent = await world.agent()
    made: list[str] = []
    for _ in range(3):
        answer = await http.post(f"/v1/agents/{agent.id}/messages", json={"input": "Hello."})
        made.append(answer.headers["x-letta-run-id"])
    _, other = await sent(world, http, "Hello.")

    async def listed(query: str) -> list[str]:
        answer = await http.get(f"/v1/runs/?{query}")
        assert answer.status_code == 200, answer.text
        return [run["id"] for run in answer.json()]

    assert await listed("") == [other, *made[::-1]]
    assert await listed(f"agent_id={agent.id}&agent_ids={new('agent')}") == made[::-1]
    assert await listed(f"agent_ids={agent.id}&order=asc") == made
    assert await listed("ascending=true") == [*made, other]
    assert await listed("active=true") == []
    assert await listed("active=true&statuses=completed") != []
    assert await listed("background=true") == []
    assert await listed("stop_reason=error") == []
    walked = [run.id async for run in letta.runs.list(agent_id=agent.id, limit=1)]
    assert walked == made[::-1]
    for query, status in (("statuses=odd", 400), ("limit=0", 422), ("limit=1001", 422)):
        assert (await http.get(f"/v1/runs/?{query}")).status_code == status
    assert (await http.get("/v1/runs/active")).json() == []


@pytest.mark.rule("G-4", "streaming-4.6", "api-10.10")
async def test_following_a_run_from_any_place(world: World, http: httpx.AsyncClient) -> None:
    agent = await world.agent()
    body = {"input": "CALL look {}", "stream_tokens": True}
    live = await http.post(f"/v1/agents/{agent.id}/messages/stream", json=body)
    run_id = live.headers["x-letta-run-id"]
    assert (await http.post(f"/v1/runs/{run_id}/stream")).content == live.content
    blocks = live.content.split(b"\n\n")
    last = frames(live.content)[-4]["seq_id"]
    for after in range(last + 1):
        rest = await http.post(f"/v1/runs/{run_id}/stream", json={"starting_after": after})
        assert rest.content == b"\n\n".join(blocks[after:])
    past = await http.post(f"/v1/runs/{run_id}/stream", json={"starting_after": 1000})
    assert past.content == b"data: [DONE]\n\n"
    quiet = await http.post(f"/v1/runs/{run_id}/stream", json={"include_pings": False})
    assert "ping" not in kinds(quiet.content)


@pytest.mark.rule("G-7", "streaming-4.6", "api-19.4")
async def test_any_run_can_be_followed_while_it_goes_on(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    run = (
        await http.post(f"/v1/agents/{agent.id}/messages/async", json={"input": "CALL wait {}"})
    ).json()
    read: list[bytes] = []
    refused: list[int] = []
    liked = {"feedback": "positive", "tags": ["good"]}

    async def follow() -> None:
        read.append((await http.post(f"/v1/runs/{run['id']}/stream")).content)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(follow)
        with anyio.fail_after(10):
            await world.tools.entered.wait()
        refused.append((await http.delete(f"/v1/runs/{run['id']}")).status_code)
        (begun,) = (await http.get(f"/v1/runs/{run['id']}/steps")).json()
        await http.patch(f"/v1/steps/{begun['id']}/feedback", json=liked)
        world.tools.gate.set()
    assert refused == [400]
    *_, step = (await http.get(f"/v1/runs/{run['id']}/steps")).json()
    assert {name: step[name] for name in liked} == liked
    assert kinds(read[0])[-1] == "[DONE]"
    assert (await http.get(f"/v1/runs/{run['id']}")).json()["status"] == "completed"


@pytest.mark.rule("api-19.2", "streaming-4.6", "api-2.2")
async def test_runs_that_are_not_there(world: World, http: httpx.AsyncClient) -> None:
    for method, rest in (("GET", ""), ("GET", "/messages"), ("GET", "/steps"), ("GET", "/usage"),
                         ("GET", "/metrics"), ("GET", "/trace"), ("POST", "/stream"),
                         ("DELETE", "")):  # fmt: skip
        unknown = await http.request(method, f"/v1/runs/{new('run')}{rest}")
        assert unknown.status_code == 404, rest
        malformed = await http.request(method, f"/v1/runs/run-1{rest}")
        assert malformed.status_code == 400, rest
    agent_id, run_id = await sent(world, http, "Hello.")
    assert (await http.delete(f"/v1/runs/{run_id}")).text == "null"
    assert (await http.get(f"/v1/runs/{run_id}")).status_code == 404
    kept = (await http.get(f"/v1/agents/{agent_id}/messages")).json()
    assert "Hello." in [one.get("content") for one in kept]


@pytest.mark.rule("streaming-4.6")
async def test_a_run_whose_events_are_gone_is_410(world: World, http: httpx.AsyncClient) -> None:
    _, run_id = await sent(world, http, "Hello.")
    async with world.db.write(ACTOR) as tx:
        await tx.execute("DELETE FROM run_events WHERE run_id = $1", run_id)
        assert await events.last_seq(tx, run_id) == 0
    gone = await http.post(f"/v1/runs/{run_id}/stream")
    assert (gone.status_code, gone.json()["detail"][:8]) == (410, "EXPIRED:")


@pytest.mark.rule("api-19.4", "streaming-5.4")
async def test_steps(world: World, http: httpx.AsyncClient, letta: AsyncLetta) -> None:
    http.headers["X-Api-Request-Log-Id"] = "log-1"
    agent_id, run_id = await sent(world, http, "CALL look {}")
    newest, oldest = [step async for step in letta.steps.list(agent_id=agent_id)]
    assert [s.id for s in (await letta.steps.list(order="asc")).items] == [oldest.id, newest.id]
    step = await letta.steps.retrieve(oldest.id)
    assert (step.status, step.run_id, step.messages) == ("success", run_id, [])
    assert (newest.stop_reason, oldest.stop_reason) == ("end_turn", None)
    assert {newest.request_id, oldest.request_id} == {"log-1"}
    assert newest.provider_category == "base"
    metrics = await letta.steps.metrics.retrieve(oldest.id)
    assert metrics.id == oldest.id
    assert metrics.step_start_ns
    assert await letta.steps.trace.retrieve(oldest.id) is None
    said: list[Any] = (await letta.steps.messages.list(oldest.id)).items
    assert [one.message_type for one in said] == ["tool_call_message", "tool_return_message"]
    back = [one async for one in letta.steps.messages.list(oldest.id, order="desc", limit=1)]
    assert [one.message_type for one in back] == ["tool_return_message", "tool_call_message"]
    rated = await letta.steps.feedback.create(oldest.id, feedback="positive", tags=["good"])
    assert (rated.feedback, rated.tags) == ("positive", ["good"])
    cleared = (await http.patch(f"/v1/steps/{oldest.id}/feedback", json={})).json()
    assert (cleared["feedback"], cleared["tags"]) == (None, ["good"])
    noted = (await http.patch(f"/v1/steps/{oldest.id}/transaction/t-1")).json()
    assert noted["tid"] == "t-1"


@pytest.mark.rule("api-19.4", "api-5.6")
@pytest.mark.parametrize(
    ("query", "status", "count"),
    [
        ("", 200, 1),
        ("model=scripted-1", 200, 1),
        ("model=other", 200, 0),
        ("has_feedback=true", 200, 0),
        ("feedback=negative", 200, 0),
        ("tags=a&tags=b", 200, 0),
        ("trace_ids=x", 200, 0),
        ("project_id=x", 200, 0),
        ("start_date=2020-01-01", 200, 1),
        ("start_date=2020-01-01T00:00:00+02:00", 200, 1),
        ("end_date=2020-01-01T00:00:00Z", 200, 0),
        ("start_date=soon", 400, 0),
        ("feedback=odd", 422, 0),
        ("after=step-00000000-0000-4000-8000-000000000000", 404, 0),
    ],
)
async def test_which_steps_are_listed(
    world: World, http: httpx.AsyncClient, query: str, status: int, count: int
) -> None:
    await sent(world, http, "Hello.")
    answer = await http.get(f"/v1/steps/?{query}")
    assert answer.status_code == status, answer.text
    assert status != 200 or len(answer.json()) == count


@pytest.mark.rule("api-2.2")
async def test_steps_that_are_not_there(http: httpx.AsyncClient) -> None:
    for method, rest in (("GET", ""), ("GET", "/metrics"), ("GET", "/messages"),
                         ("PATCH", "/feedback"), ("PATCH", "/transaction/t")):  # fmt: skip
        unknown = await http.request(method, f"/v1/steps/{new('step')}{rest}", json={})
        assert unknown.status_code == 404, rest
        malformed = await http.request(method, f"/v1/steps/step-1{rest}", json={})
        assert malformed.status_code == 422, rest
    assert (await http.get(f"/v1/steps/{new('step')}/trace")).text == "null"
    assert (await http.get(f"/v1/telemetry/{new('step')}")).text == "null"
    assert (await http.get("/v1/telemetry/step-1")).status_code == 400
