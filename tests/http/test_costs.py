"""What is spent is shown and bounded, by real runs over a model whose price the operator set."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from letta_client import APIStatusError, AsyncLetta

from eunoe.domain.agents import Agent
from eunoe.domain.costs import Rates
from eunoe.domain.messages import Json
from eunoe.llm.prices import Prices
from eunoe.runs.runner import Runner
from eunoe.service import keys, users
from eunoe.store import budgets as stored
from eunoe.store import steps
from eunoe.store.db import to_micros
from tests.runs.conftest import ACTOR, World, running, toolboxes

pytestmark = [pytest.mark.anyio, pytest.mark.rule("streaming-5.1")]

PRICE = (Rates(input=1_000_000, cached_input=0, cache_write=0, output=2_000_000),)
DAY = timedelta(days=1)


@pytest.fixture
async def world(world: World) -> AsyncGenerator[World]:
    """A world in which a token costs a dollar per million, and one of an answer two."""
    await world.runner.stop()
    prices = Prices([("openai/scripted-1", PRICE)])
    world.runner = Runner(
        world.db, models=world.brought, toolboxes=toolboxes(world.tools), prices=prices, grace_s=0.2
    )
    async with running(world.runner):
        yield world


async def priced(http: httpx.AsyncClient, agent: Agent, text: str = "Hello") -> Json:
    reply = await http.post(f"/v1/agents/{agent.id}/messages", json={"input": text})
    assert reply.status_code == 200, reply.text
    said: Json = reply.json()
    return said


def owed(usage: Json) -> float:
    """Return what so many tokens cost by `PRICE`, the cache being free."""
    prompt = usage["prompt_tokens"] - (usage.get("cached_input_tokens") or 0)
    return (prompt + 2 * usage["completion_tokens"]) / 1e6


async def test_a_cost_is_shown_wherever_tokens_are(
    world: World, http: httpx.AsyncClient, strict: AsyncLetta
) -> None:
    agent = await world.agent()
    reply = await strict.agents.messages.create(agent.id, input="CALL look {}")
    usage = reply.usage.to_dict()
    assert usage["cost_usd"] == pytest.approx(owed(usage))
    (run,) = (await strict.runs.list(agent_id=agent.id)).items
    told = (await strict.runs.usage.retrieve(run.id)).to_dict()
    of_steps: list[Json] = [one.to_dict() for one in (await strict.runs.steps.list(run.id)).items]
    assert len(of_steps) == 2
    assert told["cost_usd"] == usage["cost_usd"]
    assert sum(one["cost_usd"] for one in of_steps) == pytest.approx(usage["cost_usd"])
    sums = (await http.get("/v1/costs", params={"run_id": run.id})).json()
    assert [(one["steps"], one["unpriced_steps"]) for one in sums] == [(2, 0)]
    assert sums[0]["cost_usd"] == pytest.approx(usage["cost_usd"])


async def test_without_a_price_a_cost_is_unknown_and_never_nothing(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.runner.stop()
    async with running(world.successor()) as runner:
        world.runner = runner
        agent = await world.agent()
        outcome = await world.say(agent, "Hello")
    assert outcome.used.usage.cost_nanos is None
    assert outcome.used.usage.prompt_tokens
    (sums,) = (await http.get("/v1/costs", params={"agent_id": agent.id})).json()
    assert (sums["unpriced_steps"], sums["cost_usd"]) == (1, None)


async def test_a_later_price_changes_no_cost_that_is_stored(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    usage = (await priced(http, agent))["usage"]
    async with world.db.write(ACTOR) as tx:
        (step,) = await steps.of_agents(tx, [agent.id])
        await steps.set_feedback(tx, step.id, feedback="positive", tags=())
    (sums,) = (await http.get("/v1/costs", params={"agent_id": agent.id})).json()
    assert sums["cost_usd"] == pytest.approx(usage["cost_usd"])
    assert step.usage.cost_nanos == round(usage["cost_usd"] * 1e9)


@pytest.mark.parametrize("by", ["agent", "model", "key", "day"])
async def test_costs_are_summed_by_what_is_asked_for(
    world: World, http: httpx.AsyncClient, by: str
) -> None:
    ada, bob = await world.agent(), await world.agent()
    text, key = await keys.create(world.db, name="app", scope="run")
    cheap = (await priced(http, ada))["usage"]["cost_usd"]
    http.headers["authorization"] = f"Bearer {text}"
    dear = sum([(await priced(http, bob, "CALL look {}"))["usage"]["cost_usd"] for _ in range(2)])
    params = {"by": by, "since": str(datetime.now(UTC).date()), "until": "2999-01-01T00:00:00Z"}
    told = (await http.get("/v1/costs", params=params)).json()
    found = {one["group"]: (one["steps"], one["cost_usd"]) for one in told}
    whole = {"steps": 5, "cost": cheap + dear}
    wanted = {
        "agent": {bob.id: (4, dear), ada.id: (1, cheap)},
        "model": {"scripted-1": tuple(whole.values())},
        "key": {key.id: (4, dear), None: (1, cheap)},
        "day": {datetime.now(UTC).date().isoformat(): tuple(whole.values())},
    }[by]
    assert list(found) == list(wanted)
    for group, (number, cost) in wanted.items():
        assert found[group][0] == number
        assert found[group][1] == pytest.approx(cost)
    late = {**params, "since": "2999-01-01"}
    assert (await http.get("/v1/costs", params=late)).json() == []


async def test_costs_are_those_of_ones_own_organization(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    await priced(http, agent)
    organization = await users.create_organization(world.db, name="Else")
    text, _ = await keys.create(world.db, name="x", scope="write", organization_id=organization.id)
    bearer = {"authorization": f"Bearer {text}"}
    for params in ({}, {"agent_id": agent.id}):
        assert (await http.get("/v1/costs", params=params, headers=bearer)).json() == []
    assert (await http.get("/v1/budgets", headers=bearer)).status_code == 403


async def bound(http: httpx.AsyncClient, subject: str, period: str, usd: float) -> Json:
    reply = await http.put(f"/v1/budgets/{subject}/{period}", json={"limit_usd": usd})
    assert reply.status_code == 200, reply.text
    made: Json = reply.json()
    return made


@pytest.mark.rule("streaming-4.2", "streaming-9.1")
@pytest.mark.parametrize("whose", ["organization", "agent", "key"])
async def test_a_spent_budget_refuses_the_next_run_before_any_effect(
    world: World, http: httpx.AsyncClient, strict: AsyncLetta, whose: str
) -> None:
    agent, other = await world.agent(), await world.agent()
    admin, key = await keys.create(world.db, name="app", scope="admin")
    http.headers["authorization"] = f"Bearer {admin}"
    strict = strict.with_options(api_key=admin)
    subject = {"organization": "organization", "agent": agent.id, "key": key.id}[whose]
    await bound(http, subject, "day", 0.000001)
    first = await priced(http, agent)
    assert first["stop_reason"]["stop_reason"] == "end_turn"
    said = await world.window(agent)
    with pytest.raises(APIStatusError, match="budget") as refused:
        await strict.agents.messages.create(agent.id, input="More")
    replies = [refused.value.response] + [
        await http.post(f"/v1/agents/{agent.id}/messages/{how}", json={"input": "More"})
        for how in ("async", "stream")
    ]
    for reply in replies:
        assert (reply.status_code, reply.headers["x-should-retry"]) == (402, "false")
    assert await world.window(agent) == said
    if whose == "agent":
        await priced(http, other)
    del http.headers["authorization"]
    if whose == "key":
        await priced(http, agent)
    await bound(http, subject, "day", 100)
    await priced(http, agent)


@pytest.mark.rule("streaming-4.2", "streaming-5.1", "G-14")
async def test_a_run_that_spends_a_budget_ends_with_its_step_and_loses_nothing(
    world: World, http: httpx.AsyncClient, strict: AsyncLetta
) -> None:
    agent = await world.agent()
    await bound(http, agent.id, "total", 0.000001)
    reply = await strict.agents.messages.create(agent.id, input="CALL count {}")
    assert reply.stop_reason.stop_reason == "insufficient_credits"
    assert reply.usage.step_count == 1
    kinds = [message.message_type for message in reply.messages]
    assert kinds == ["tool_call_message", "tool_return_message"]
    assert world.tools.calls == [("count", {})]
    (run,) = (await strict.runs.list(agent_id=agent.id)).items
    assert (run.status, run.stop_reason) == ("failed", "insufficient_credits")
    (step,) = (await strict.runs.steps.list(run.id)).items
    assert (step.status, step.stop_reason) == ("success", "insufficient_credits")
    (budget,) = (await http.get("/v1/budgets")).json()
    assert budget["spent_usd"] == pytest.approx(reply.usage.to_dict()["cost_usd"])
    assert (await http.delete(f"/v1/budgets/{agent.id}/total")).status_code == 204
    assert (await http.delete(f"/v1/budgets/{agent.id}/total")).status_code == 404
    again = await strict.agents.messages.create(agent.id, input="Go on")
    assert again.stop_reason.stop_reason == "end_turn"


@pytest.mark.rule("streaming-1.8")
async def test_a_run_that_spends_a_budget_says_so_to_openais_clients(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    await bound(http, agent.id, "total", 0.000001)
    said = [{"role": "user", "content": "CALL count {}"}]
    answer = await http.post("/v1/chat/completions", json={"model": agent.id, "messages": said})
    assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
    assert answer.json()["error"]["code"] == "budget_spent"


@pytest.mark.rule("streaming-4.9")
async def test_who_waited_while_it_was_spent_asks_for_nothing(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    await bound(http, agent.id, "month", 0.000001)
    first = await world.submit(agent, "CALL wait {}")
    await world.tools.entered.wait()
    path = f"/v1/agents/{agent.id}/messages/async"
    http.headers["X-Eunoe-Busy"] = "queue"
    refused = await http.post(path, json={"input": "SAY it"})
    assert refused.status_code == 402
    await bound(http, agent.id, "month", 1)
    waits = (await http.post(path, json={"input": "SAY it"})).json()
    await bound(http, agent.id, "month", 0.000001)
    world.tools.gate.set()
    await world.runner.fold(ACTOR, first.run.id)
    outcome = await world.runner.fold(ACTOR, waits["id"])
    assert outcome.reason == "insufficient_credits"
    assert outcome.used.step_count == 0


async def test_a_budget_counts_from_the_start_of_its_period(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    cost = (await priced(http, agent))["usage"]["cost_usd"]
    async with world.db.write(ACTOR) as tx:
        (step,) = await steps.of_agents(tx, [agent.id])
        await tx.execute("UPDATE steps SET created_at = $1", to_micros(step.created_at - 40 * DAY))
    spent = [
        (await bound(http, "organization", period, 5))["spent_usd"]
        for period in ("day", "month", "total")
    ]
    assert spent == [0, 0, pytest.approx(cost)]
    await priced(http, agent)
    listed = (await http.get("/v1/budgets", params={"order": "asc"})).json()
    assert [one["spent_usd"] for one in listed] == pytest.approx([cost, cost, 2 * cost], rel=0.5)
    changed = await bound(http, "organization", "day", 7)
    assert (changed["id"], changed["limit_usd"]) == (listed[0]["id"], 7)
    assert changed["spent_usd"] == listed[0]["spent_usd"]


@pytest.mark.parametrize(("period", "later"), [("day", DAY), ("month", 32 * DAY)])
async def test_a_new_period_begins_with_nothing_spent(
    world: World, http: httpx.AsyncClient, period: str, later: timedelta
) -> None:
    agent = await world.agent()
    await bound(http, agent.id, period, 0.000001)
    await priced(http, agent)
    now = datetime.now(UTC)
    async with world.db.write(ACTOR) as tx:
        assert await stored.spent(tx, agent.id, now=now) == agent.id
        assert await stored.spent(tx, agent.id, now=now + later) is None
        assert not await stored.charge(tx, agent.id, 1, now=now + later)
        # A step that began before the period's end is stored after one that began behind it.
        assert await stored.charge(tx, agent.id, 999, now=now)


async def test_budgets_are_kept_on_record_and_go_with_whose_they_are(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    await bound(http, agent.id, "day", 1)
    await http.delete(f"/v1/budgets/{agent.id}/day")
    await bound(http, agent.id, "month", 1)
    noted = [
        (one["action"], one["object_id"])
        for one in (await http.get("/v1/audit")).json()
        if one["action"].startswith("budget.")
    ]
    assert [one[0] for one in noted] == ["budget.set", "budget.delete", "budget.set"]
    assert {one[1] for one in noted} == {agent.id}
    await http.delete(f"/v1/agents/{agent.id}")
    assert (await http.get("/v1/budgets")).json() == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("agent-00000000-0000-4000-8000-00000000dead/day", {"limit_usd": 1}, 404),
        ("key-00000000-0000-4000-8000-00000000dead/day", {"limit_usd": 1}, 404),
        ("somebody/day", {"limit_usd": 1}, 422),
        ("organization/week", {"limit_usd": 1}, 422),
        ("organization/day", {"limit_usd": -1}, 422),
        ("organization/day", {"limit": 1}, 422),
    ],
)
async def test_what_cannot_be_a_budget_is_refused(
    http: httpx.AsyncClient, path: str, body: Json, status: int
) -> None:
    assert (await http.put(f"/v1/budgets/{path}", json=body)).status_code == status
    assert (await http.get("/v1/budgets")).json() == []


async def test_a_key_of_another_organization_has_no_budget_here(
    world: World, http: httpx.AsyncClient
) -> None:
    organization = await users.create_organization(world.db, name="Else")
    _, key = await keys.create(world.db, name="x", scope="run", organization_id=organization.id)
    path = f"/v1/budgets/{key.id}/day"
    assert (await http.put(path, json={"limit_usd": 1})).status_code == 404
    theirs = await http.put(path, json={"limit_usd": 1}, headers={"user_id": key.user_id})
    assert theirs.status_code == 200
    assert (await http.get("/v1/budgets")).json() == []


async def test_without_budgets_nothing_more_is_asked(world: World) -> None:
    """That there are none is known from statements that are made anyway."""
    agent = await world.agent()
    outcome = await world.say(agent, "Hello")
    assert outcome.used.usage.cost_nanos
    async with world.db.write(ACTOR) as tx:
        (step,) = await steps.of_agents(tx, [agent.id])
        before = tx.statements
        assert await steps.insert(tx, step) is False
        assert tx.statements == before + 1
