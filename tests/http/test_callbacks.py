"""Whoever asked for it is told of a run's end: once it is over, until he knows (api 8.8, G-20)."""

import asyncio
import base64
import hashlib
import hmac
from datetime import timedelta

import pytest
from letta_client import AsyncLetta

from eunoe.domain.messages import Json
from eunoe.runs.callbacks import DELAYS_S
from eunoe.store import runs
from eunoe.store.db import Actor
from tests.http.calling import Clock, Receiver, calling, carry_out, receiving
from tests.runs.conftest import ACTOR, World

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-8.8", "G-20")]


async def ended(world: World, letta: AsyncLetta, url: str, text: str = "Hello.") -> str:
    """Send a message with a callback to a new agent and wait for the end; return the run's id."""
    agent = await world.agent()
    run = await letta.agents.messages.create_async(
        agent.id, messages=[{"role": "user", "content": text}], callback_url=url
    )
    assert run.callback_url == url
    await world.runner.fold(ACTOR, run.id)
    return run.id


async def test_the_end_of_a_run_is_told_with_its_answer(world: World, strict: AsyncLetta) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock) as callbacks:
        run_id = await ended(world, strict, f"{receiver.url}/done?for=me")
        assert await carry_out(callbacks) == 1
        assert await carry_out(callbacks) == 0
        (request,) = receiver.told
        assert (request.method, request.path) == ("POST", "/done")
        assert request.headers["content-type"] == "application/json"
        assert request.headers["host"] == receiver.url.removeprefix("http://")
        (body,) = receiver.bodies
        run = await strict.runs.retrieve(run_id)
        assert run.completed_at is not None
        assert sorted(body) == ["completed_at", "metadata", "run_id", "status"]
        assert (body["run_id"], body["status"]) == (run_id, "completed")
        assert body["metadata"]["run_type"] == "send_message_async"
        result = body["metadata"]["result"]
        assert [one["message_type"] for one in result["messages"]] == ["assistant_message"]
        assert result["stop_reason"]["stop_reason"] == "end_turn"
        assert result["usage"]["total_tokens"] > 0
        assert (run.callback_status_code, run.callback_error) == (200, None)
        assert run.callback_sent_at == clock.now


async def test_nobody_is_told_before_the_end_nor_where_nobody_asked(
    world: World, strict: AsyncLetta
) -> None:
    async with receiving() as receiver, calling(world, Clock()) as callbacks:
        agent = await world.agent()
        run = await strict.agents.messages.create_async(
            agent.id,
            messages=[{"role": "user", "content": "CALL wait {}"}],
            callback_url=receiver.url,
        )
        await asyncio.wait_for(world.tools.entered.wait(), 20)
        assert await callbacks.pending() == []
        await callbacks.carry_out(run.id)
        await strict.agents.messages.cancel(agent.id)
        await world.runner.fold(ACTOR, run.id)
        await world.say(await world.agent(), "Hello.")
        assert await carry_out(callbacks) == 1
        assert [body["status"] for body in receiver.bodies] == ["cancelled"]


async def test_a_failed_run_is_told_of_too(world: World, strict: AsyncLetta) -> None:
    async with receiving() as receiver, calling(world, Clock()) as callbacks:
        await ended(world, strict, receiver.url, "FAIL 400")
        await carry_out(callbacks)
        (body,) = receiver.bodies
        assert body["status"] == "failed"
        assert body["metadata"]["error"]["error_type"]
        assert body["metadata"]["result"]["stop_reason"]["stop_reason"] != "end_turn"


async def test_what_may_pass_is_tried_again_under_the_same_id(
    world: World, strict: AsyncLetta
) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock) as callbacks:
        receiver.statuses = [503, 429, 204]
        run_id = await ended(world, strict, receiver.url)
        await carry_out(callbacks)
        run = await strict.runs.retrieve(run_id)
        assert (run.status, run.callback_status_code) == ("completed", 503)
        assert run.callback_error
        for delay_s in DELAYS_S[:2]:
            clock.now += timedelta(seconds=delay_s - 1)
            assert await carry_out(callbacks) == 0
            clock.now += timedelta(seconds=1)
            assert await carry_out(callbacks) == 1
        run = await strict.runs.retrieve(run_id)
        assert (run.callback_status_code, run.callback_error) == (204, None)
        assert {request.headers["webhook-id"] for request in receiver.told} == {run_id}
        assert len(receiver.told) == 3


@pytest.mark.parametrize(("status", "attempts"), [(500, 5), (302, 1), (307, 1), (404, 1)], ids=str)
async def test_when_it_is_given_up(
    world: World, strict: AsyncLetta, status: int, attempts: int
) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock) as callbacks:
        receiver.statuses = [status]
        run_id = await ended(world, strict, receiver.url)
        for _ in range(10):
            await carry_out(callbacks)
            clock.now += timedelta(hours=1)
        assert [request.path for request in receiver.told] == ["/"] * attempts
        run = await strict.runs.retrieve(run_id)
        assert (run.status, run.callback_status_code) == ("completed", status)
        assert run.callback_error == f"The URL answered {status}."


async def test_a_receiver_that_is_not_there_is_shown(world: World, strict: AsyncLetta) -> None:
    async with receiving() as receiver:
        url = receiver.url
    clock = Clock()
    async with calling(world, clock) as callbacks:
        run_id = await ended(world, strict, url)
        await carry_out(callbacks)
        run = await strict.runs.retrieve(run_id)
        assert (run.callback_status_code, run.callback_sent_at) == (None, clock.now)
        assert run.callback_error is not None
        assert "cannot be reached" in run.callback_error
        clock.now += timedelta(hours=1)
        assert await carry_out(callbacks) == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_the_servers_own_network_is_out_of_reach(
    world: World, strict: AsyncLetta, host: str
) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock, allow_private=False) as callbacks:
        run_id = await ended(world, strict, f"http://{host}:{receiver.url.rpartition(':')[2]}/")
        await carry_out(callbacks)
        run = await strict.runs.retrieve(run_id)
        assert run.callback_error is not None
        assert "public address" in run.callback_error
        clock.now += timedelta(hours=1)
        assert (await carry_out(callbacks), receiver.told) == (0, [])


@pytest.mark.rule("G-9")
async def test_an_attempt_has_one_owner_and_is_made_again_where_that_one_died(
    world: World, strict: AsyncLetta
) -> None:
    clock = Clock()
    async with receiving() as receiver, calling(world, clock) as one, calling(world, clock) as two:
        run_id = await ended(world, strict, receiver.url)
        await asyncio.gather(one.carry_out(run_id), two.carry_out(run_id))
        assert len(receiver.told) == 1
        receiver.told.clear()
        run_id = await ended(world, strict, receiver.url)

        async def dies(actor: Actor, subject_id: str) -> Json | None:
            raise ConnectionError(actor, subject_id)

        dying = type(one)(db=world.db, outbound=one.outbound, told={"run": dies}, now=clock)
        with pytest.raises(ConnectionError):
            await dying.carry_out(run_id)
        assert await carry_out(two) == 0
        clock.now += timedelta(seconds=30)
        assert await carry_out(two) == 1
        assert len(receiver.told) == 1


async def test_a_run_that_was_deleted_is_not_told_of(world: World, strict: AsyncLetta) -> None:
    async with receiving() as receiver, calling(world, Clock()) as callbacks:
        run_id = await ended(world, strict, receiver.url)
        async with world.db.write(ACTOR) as tx:
            await runs.delete(tx, run_id)
        assert await carry_out(callbacks) == 1
        assert (await callbacks.pending(), receiver.told) == ([], [])


async def test_a_callback_can_be_signed(world: World, strict: AsyncLetta) -> None:
    key = bytes(range(32))
    secret = f"whsec_{base64.b64encode(key).decode()}"
    async with receiving() as receiver, calling(world, Clock(), secret=secret) as callbacks:
        await ended(world, strict, receiver.url)
        await carry_out(callbacks)
        assert _signature(receiver, key) == receiver.told[0].headers["webhook-signature"]


def _signature(receiver: Receiver, key: bytes) -> str:
    (request,) = receiver.told
    signed = ".".join(request.headers[name] for name in ("webhook-id", "webhook-timestamp"))
    digest = hmac.new(key, f"{signed}.".encode() + request.body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
