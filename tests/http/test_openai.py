"""The address at which agents are what OpenAI's clients take for models."""

import httpx
import pytest
from openai import AsyncOpenAI, NotFoundError

from eunoe.ids import new
from tests.http.openai_clients import address
from tests.runs.conftest import World

__all__ = ["address"]

pytestmark = pytest.mark.anyio


@pytest.mark.rule("streaming-1.8")
async def test_who_lists_models_first_finds_agents_to_ask(world: World, address: str) -> None:
    older, newer = await world.agent(name="Ada"), await world.agent(name="Bob")
    await world.agent(name="Ghost", hidden=True)
    async with AsyncOpenAI(base_url=f"{address}/v1/openai", api_key="any", max_retries=0) as client:
        listed = [one async for one in client.models.list()]
        assert [one.id for one in listed] == [newer.id, older.id]
        assert {one.object for one in listed} == {"model"}
        found = await client.models.retrieve(older.id)
        assert (found.id, found.model_extra) == (older.id, {"name": "Ada"})
        assert found.created == int(older.created_at.timestamp())
        with pytest.raises(NotFoundError):
            await client.models.retrieve(new("agent"))

        said = await client.chat.completions.create(
            model=found.id, messages=[{"role": "user", "content": "SAY Good evening."}]
        )
        assert said.choices[0].message.content == "Good evening."
        answer = await client.responses.create(model=found.id, input="SAY Good night.")
        assert answer.output_text == "Good night."


@pytest.mark.rule("streaming-1.8")
async def test_what_is_no_agent_is_refused_as_openai_refuses(http: httpx.AsyncClient) -> None:
    refused = await http.get("/v1/openai/models/gpt-4o")
    assert refused.status_code == 400
    assert refused.json()["error"]["param"] == "model"
