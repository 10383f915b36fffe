"""Batches: every request one run, once, and an end whatever happens (api 22, G-21)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx
import pytest

from eunoe.domain.messages import Json
from eunoe.errors import ListBusy
from eunoe.http.telling import Telling
from eunoe.runs.batches import Batches
from eunoe.runs.callbacks import Callbacks
from eunoe.runs.outbound import Outbound
from eunoe.runs.runner import Runner
from eunoe.service import agents as service
from tests.http.calling import Clock, calling, carry_out, receiving
from tests.runs.conftest import ACTOR, World, running

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-22", "G-21")]

PATH = "/v1/messages/batches"


def asking(agent_id: str, text: str = "Hello.") -> Json:
    return {"agent_id": agent_id, "messages": [{"role": "user", "content": text}]}


async def batched(http: httpx.AsyncClient, *requests: Json, **more: object) -> Json:
    reply = await http.post(PATH, json={"requests": list(requests), **more})
    assert reply.status_code == 200, reply.text
    batch: Json = reply.json()
    return batch


async def got(http: httpx.AsyncClient, path: str, **params: str | int) -> Json:
    reply = await http.get(path, params=params)
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def worked(batches: Batches) -> int:
    """Carry out whatever is ready until nothing is; return how many items that was."""
    done = 0
    while names := await batches.pending():
        for name in names:
            await batches.carry_out(name)
            done += 1
    return done


@pytest.fixture
def batches(world: World) -> Batches:
    return Batches(db=world.db, entrance=world.runner)


async def test_each_request_becomes_a_run_and_the_batch_says_what_became_of_it(
    world: World, http: httpx.AsyncClient, batches: Batches
) -> None:
    one, two = await world.agent(), await world.agent()
    made = await batched(
        http,
        asking(one.id),
        asking(two.id, "FAIL 400"),
        asking(one.id, "Again."),
        callback_url=None,
    )
    assert (made["status"], made["job_type"], made["callback_url"]) == ("running", "batch", None)
    assert [item["status"] for item in made["metadata"]["items"]] == ["created"] * 3
    assert await worked(batches) == 3
    batch = await got(http, f"{PATH}/{made['id']}")
    assert (batch["status"], batch["stop_reason"]) == ("completed", "end_turn")
    assert batch["completed_at"]
    assert batch["metadata"]["job_type"] == "batch_messages"
    items = batch["metadata"]["items"]
    assert [item["status"] for item in items] == ["completed", "failed", "completed"]
    assert [item["agent_id"] for item in items] == [one.id, two.id, one.id]
    assert [bool(item["error"]) for item in items] == [False, True, False]
    runs = [await got(http, f"/v1/runs/{item['run_id']}") for item in items]
    assert len({run["id"] for run in runs}) == 3
    assert all(run["metadata"]["batch_id"] == made["id"] and run["background"] for run in runs)
    said = (await got(http, f"{PATH}/{made['id']}/messages", order="asc"))["messages"]
    assert [message["role"] for message in said if message["agent_id"] == one.id] == [
        "user",
        "assistant",
    ] * 2
    alone = await got(http, f"{PATH}/{made['id']}/messages", agent_id=two.id, limit=1)
    assert [message["agent_id"] for message in alone["messages"]] == [two.id]
    assert [one["id"] for one in (await http.get(PATH)).json()] == [made["id"]]


async def test_a_batch_of_which_nothing_went_well_has_failed(
    world: World, http: httpx.AsyncClient, batches: Batches
) -> None:
    agent = await world.agent()
    made = await batched(http, asking(agent.id, "FAIL 400"))
    await worked(batches)
    assert (await got(http, f"{PATH}/{made['id']}"))["status"] == "failed"


@pytest.mark.rule("G-9")
async def test_an_item_is_begun_once_and_followed_by_whoever_comes_after(
    world: World, http: httpx.AsyncClient, batches: Batches
) -> None:
    agent = await world.agent()
    made = await batched(http, asking(agent.id, "CALL wait {}"))
    (name,) = await batches.pending()
    both = [asyncio.create_task(batches.carry_out(name)) for _ in range(2)]
    await asyncio.wait_for(world.tools.entered.wait(), 20)
    # A process that waited for the run dies; another finds the item with its run.
    both[0].cancel()
    later = Batches(db=world.db, entrance=world.runner)
    assert await later.pending() == [name]
    world.tools.gate.set()
    await later.carry_out(name)
    await asyncio.gather(*both, return_exceptions=True)
    assert await later.pending() == []
    (item,) = (await got(http, f"{PATH}/{made['id']}"))["metadata"]["items"]
    assert item["status"] == "completed"
    assert len((await http.get("/v1/runs/", params={"agent_id": agent.id})).json()) == 1


@pytest.mark.rule("G-12")
async def test_an_agent_that_is_busy_is_asked_again_and_one_that_is_gone_is_an_error(
    world: World, http: httpx.AsyncClient, batches: Batches
) -> None:
    busy, gone = await world.agent(), await world.agent()
    made = await batched(http, asking(busy.id), asking(gone.id))
    await service.delete(world.db, ACTOR, gone.id)
    held = await world.submit(busy, "CALL wait {}")
    await asyncio.wait_for(world.tools.entered.wait(), 20)
    first, second = await batches.pending()
    with pytest.raises(ListBusy):
        await batches.carry_out(first)
    await batches.carry_out(second)
    world.tools.gate.set()
    await world.runner.fold(ACTOR, held.run.id)
    await worked(batches)
    items = (await got(http, f"{PATH}/{made['id']}"))["metadata"]["items"]
    assert [item["status"] for item in items] == ["completed", "failed"]
    assert "no agent" in items[1]["error"]


async def test_cancelling_ends_what_was_begun_and_begins_nothing_more(
    world: World, http: httpx.AsyncClient, batches: Batches
) -> None:
    clock = Clock()
    one, two = await world.agent(), await world.agent()
    async with receiving() as receiver, calling(world, clock) as callbacks:
        made = await batched(
            http, asking(one.id, "CALL wait {}"), asking(two.id), callback_url=receiver.url
        )
        going = asyncio.create_task(batches.carry_out((await batches.pending())[0]))
        await asyncio.wait_for(world.tools.entered.wait(), 20)
        assert await callbacks.pending() == []
        for _ in range(2):
            reply = await http.patch(f"{PATH}/{made['id']}/cancel")
            assert (reply.status_code, reply.json()) == (200, None)
        await going
        assert await worked(batches) == 0
        batch = await got(http, f"{PATH}/{made['id']}")
        assert (batch["status"], batch["stop_reason"]) == ("cancelled", "cancelled")
        assert [item["status"] for item in batch["metadata"]["items"]] == ["cancelled"] * 2
        assert batch["metadata"]["items"][1]["run_id"] is None
        assert await carry_out(callbacks) == 1
        assert [body["status"] for body in receiver.bodies] == ["cancelled"]


async def test_a_cancelled_batch_whose_run_was_left_going_stops_it(
    world: World, http: httpx.AsyncClient, batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process dies after it noted the wish and before it stopped the runs."""
    agent = await world.agent()
    made = await batched(http, asking(agent.id, "CALL wait {}"))
    (name,) = await batches.pending()
    waiting = asyncio.create_task(batches.carry_out(name))
    await asyncio.wait_for(world.tools.entered.wait(), 20)
    waiting.cancel()

    async def dies(*_: object, **__: object) -> dict[str, str]:
        raise ConnectionError

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "cancel", dies)
        with pytest.raises(ConnectionError):
            await http.patch(f"{PATH}/{made['id']}/cancel")
    assert await worked(batches) == 1
    (item,) = (await got(http, f"{PATH}/{made['id']}"))["metadata"]["items"]
    assert item["status"] == "cancelled"


@dataclass(slots=True)
class Peak:
    now: int = 0
    most: int = 0


@asynccontextmanager
async def serving_batches(world: World, *, at_once: int, peak: Peak) -> AsyncGenerator[Runner]:
    """Run another server's runner that carries out batches, and counts how many items at once."""
    runner = world.successor()
    batches = Batches(db=world.db, entrance=runner, at_once=at_once)
    outbound = Outbound(allow_private=True)
    telling = Telling(db=world.db, runner=runner)

    async def counted(name: str) -> None:
        peak.now += 1
        peak.most = max(peak.most, peak.now)
        await batches.carry_out(name)
        peak.now -= 1

    runner.undertake(replace(batches.duty(), carry_out=counted))
    told = {"run": telling.run, "job": telling.batch}
    runner.undertake(Callbacks(db=world.db, outbound=outbound, told=told).duty())
    async with running(runner):
        yield runner
    await outbound.close()


@pytest.mark.rule("streaming-7.7", "streaming-7.8")
async def test_so_many_at_once_and_a_callback_at_the_end(
    world: World, http: httpx.AsyncClient
) -> None:
    agents = [await world.agent() for _ in range(3)]
    requests = [asking(agents[place % 3].id, f"Number {place}.") for place in range(9)]
    peak = Peak()
    async with receiving() as receiver:
        made = await batched(http, *requests, callback_url=receiver.url)
        async with serving_batches(world, at_once=2, peak=peak):
            await asyncio.wait_for(receiver.called.wait(), 60)
        (body,) = receiver.bodies
    assert sorted(body) == ["completed_at", "job_id", "metadata", "status"]
    assert (body["job_id"], body["status"]) == (made["id"], "completed")
    assert [item["status"] for item in body["metadata"]["items"]] == ["completed"] * 9
    assert 1 <= peak.most <= 2
    for agent in agents:
        said = [one for one in await world.window(agent) if one.role == "user"]
        assert len(said) == 3


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"requests": []}, 400),
        ({"requests": [{"agent_id": "agent-1", "input": "x"}]}, 422),
        ({"requests": [{"input": "x"}]}, 422),
        (
            {
                "requests": [
                    {"agent_id": "agent-00000000-0000-4000-8000-000000000001", "input": "x"}
                ]
            },
            404,
        ),
        ({}, 422),
    ],
)
async def test_what_cannot_become_runs_is_refused(
    http: httpx.AsyncClient, body: Json, status: int
) -> None:
    reply = await http.post(PATH, json=body)
    assert reply.status_code == status, reply.text
    assert (await http.get(PATH)).json() == []


@pytest.mark.parametrize("rest", ["", "/messages"])
async def test_batches_that_are_not_there(http: httpx.AsyncClient, rest: str) -> None:
    unknown = "job-00000000-0000-4000-8000-000000000001"
    assert (await http.get(f"{PATH}/{unknown}{rest}")).status_code == 404
    assert (await http.get(f"{PATH}/job-1{rest}")).status_code == 400
    assert (await http.patch(f"{PATH}/{unknown}/cancel")).status_code == 404
    assert (await http.patch(f"{PATH}/x/cancel")).status_code == 400
