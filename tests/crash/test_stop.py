"""The server is asked to stop in the middle of a reply that it can bring to its end."""

import asyncio
import signal

import pytest

from tests.crash.checks import check_turns
from tests.crash.gates import Hold
from tests.crash.load import DONE, Clients, Turn
from tests.crash.nursery import GRACE_S
from tests.crash.servers import Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

_STOPPED_S = 2 * GRACE_S + 20


@pytest.mark.rule("G-1", "G-8")
async def test_what_ends_within_the_grace_is_streamed_to_its_end(servers: Servers) -> None:
    await servers.start()
    await servers.up()
    clients = Clients(servers)
    async with clients.http:
        agent = await clients.made("/v1/agents/", {"model": "openai/scripted-1"})
        agent_id: str = agent["id"]
        hold = servers.gates.hold(Hold(place="reply", who=agent_id, chunks=2))
        turn = Turn(
            label=agent_id,
            agent_id=agent_id,
            entry="tokens",
            item={"role": "user", "content": f"{agent_id} SAY one two three four five"},
            list_id=agent_id,
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(clients.see_to_the_end(turn))
            await hold.arrived.wait()
            servers.tell(signal.SIGTERM)
            hold.opened.set()
            assert await servers.gone(within_s=_STOPPED_S)
            await servers.start()
        assert turn.frames[-1] == DONE
        assert turn.readings == 1
        await check_turns(clients, [turn])
