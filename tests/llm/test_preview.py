"""What a model says it would send is what it sends (streaming 1.1)."""

from contextlib import aclosing

import orjson
import pytest

from eunoe.engine.ports import Previewed
from eunoe.testing.http_server import Answer, Request
from tests.llm.golden import request
from tests.llm.wires import KEY, LANES, Lane

pytestmark = pytest.mark.anyio


@pytest.mark.rule("streaming-1.1")
@pytest.mark.parametrize("lane", LANES.values(), ids=LANES)
async def test_a_preview_is_what_is_sent(lane: Lane) -> None:
    served, bodies = lane.served(), list[bytes]()

    def answer(asked: Request) -> Answer:
        bodies.append(asked.body)
        return served(asked)

    wanted = request(lane.config)
    async with lane.model(answer) as model:
        assert isinstance(model, Previewed)
        previewed = await model.preview(wanted)
        assert bodies == []
        async with aclosing(model.stream(wanted)) as events:
            async for _ in events:
                continue
    assert previewed == orjson.loads(bodies[0])
    assert KEY not in str(previewed)
