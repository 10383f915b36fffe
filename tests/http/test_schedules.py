"""Schedules through the official client (api 25.1)."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest
from letta_client import APIStatusError, AsyncLetta

from eunoe.domain import schedules
from eunoe.service import schedules as service
from tests.runs.conftest import World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-25.1")]

LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=30)


async def test_schedules_are_made_read_listed_and_removed(world: World, strict: AsyncLetta) -> None:
    agent = await world.agent()
    once = await strict.agents.schedule.create(
        agent.id,
        messages=[{"role": "user", "content": [{"type": "text", "text": "Hello."}], "name": "Ann"}],
        schedule={"type": "one-time", "scheduled_at": LATER.timestamp() * 1_000},
        max_steps=3,
        include_return_message_types=["assistant_message"],
    )
    assert once.next_scheduled_at == LATER.isoformat(timespec="microseconds")[:-6] + "Z"
    daily = await strict.agents.schedule.create(
        agent.id,
        messages=[{"role": "system", "content": "Wake up."}],
        schedule={"type": "recurring", "cron_expression": "0 9 * * *", "timezone": "Asia/Tokyo"},  # pyright: ignore[reportArgumentType] -- the zone is an extra of ours
    )
    assert daily.next_scheduled_at is not None
    assert datetime.fromisoformat(daily.next_scheduled_at).hour == 0
    first = await strict.agents.schedule.list(agent.id, limit="1")
    assert (first.has_next_page, [one.id for one in first.scheduled_messages]) == (True, [daily.id])
    rest = await strict.agents.schedule.list(agent.id, limit="1", after=daily.id)
    assert (rest.has_next_page, [one.id for one in rest.scheduled_messages]) == (False, [once.id])
    found = await strict.agents.schedule.retrieve(once.id, agent_id=agent.id)
    assert (found.message.max_steps, found.message.include_return_message_types) == (
        3,
        ["assistant_message"],
    )
    assert (found.message.messages[0].content, found.message.messages[0].name) == ("Hello.", "Ann")
    assert getattr(found.schedule, "scheduled_at", None) == LATER.timestamp() * 1_000
    assert (await strict.agents.schedule.delete(once.id, agent_id=agent.id)).success
    with pytest.raises(APIStatusError) as gone:
        await strict.agents.schedule.retrieve(once.id, agent_id=agent.id)
    assert gone.value.status_code == 404


@pytest.mark.parametrize(
    ("schedule", "status", "token"),
    [
        ({"scheduled_at": 1_000_000_000}, 400, "has passed"),
        ({"scheduled_at": 1_000_000_000_000}, 400, "has passed"),
        ({"type": "recurring", "cron_expression": "often"}, 400, "cron"),
        (
            {"type": "recurring", "cron_expression": "0 9 * * *", "timezone": "Mars"},
            400,
            "time zone",
        ),
        ({"type": "recurring"}, 422, "cron_expression"),
        ({"type": "one-time"}, 422, "scheduled_at"),
        ({"scheduled_at": 1e300}, 422, "scheduled_at"),
    ],
)
async def test_times_that_cannot_be_are_refused(
    world: World, http: httpx.AsyncClient, schedule: dict[str, object], status: int, token: str
) -> None:
    agent = await world.agent()
    body = {"messages": [{"role": "user", "content": "Hello."}], "schedule": schedule}
    reply = await http.post(f"/v1/agents/{agent.id}/schedule", json=body)
    assert (reply.status_code, token in reply.text) == (status, True), reply.text


async def test_small_numbers_are_seconds_and_answers_cannot_be_scheduled(
    world: World, http: httpx.AsyncClient
) -> None:
    agent = await world.agent()
    path, when = f"/v1/agents/{agent.id}/schedule", {"scheduled_at": LATER.timestamp()}
    made = await http.post(path, json={"input": "Hello.", "schedule": when})
    assert made.status_code == 201
    listed = (await http.get(path)).json()["scheduled_messages"]
    assert listed[0]["schedule"]["scheduled_at"] == LATER.timestamp() * 1_000
    answer = {"type": "approval", "approval_request_id": "message-1", "approve": True}
    refused = await http.post(path, json={"messages": [answer], "schedule": when})
    assert refused.status_code == 422
    assert "scheduled" in refused.text


async def test_an_agent_has_only_so_many_that_are_not_over(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert schedules.MOST == 1_000
    monkeypatch.setattr(service, "MOST", 1)
    agent = await world.agent()
    body = {"input": "Hello.", "schedule": {"scheduled_at": LATER.timestamp()}}
    replies = [await http.post(f"/v1/agents/{agent.id}/schedule", json=body) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 409]
    assert "as many schedules" in replies[1].text


async def test_an_agent_that_is_not_there_has_none(http: httpx.AsyncClient) -> None:
    path = "/v1/agents/agent-00000000-0000-4000-8000-000000000001/schedule"
    body = {"input": "Hello.", "schedule": {"scheduled_at": LATER.timestamp()}}
    assert (await http.post(path, json=body)).status_code == 404
    assert (await http.get(path)).status_code == 404
    assert (await http.get(f"{path}/x")).status_code == 404
    assert (await http.delete(f"{path}/x")).status_code == 404
