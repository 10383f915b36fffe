"""The tokens of a model's replies, told to whoever asks for them (streaming 3.1)."""

from pathlib import Path
from typing import Any

import httpx
import pytest
from letta_client import APIStatusError, AsyncLetta

from eunoe.app import create_app
from eunoe.settings import Settings
from eunoe.testing.http_server import serving
from eunoe.testing.model_server import ModelServer
from tests.fixtures.anthropic_server import AnthropicServer
from tests.multi.conftest import PATIENCE_S, Served

pytestmark = pytest.mark.anyio


@pytest.mark.rule("streaming-3.1", "api-8.4", "G-26")
async def test_probabilities_of_the_last_reply(served: Served) -> None:
    agent = await served.agent()
    more: Any = {"return_logprobs": True, "top_logprobs": 2}
    said = "CALL conversation_search {} SAY Two words."
    send: Any = served.letta.agents.messages.create
    reply: Any = await send(agent.id, input=said, **more)
    assert reply.logprobs is not None
    assert reply.turns is None
    rows: list[Any] = reply.logprobs.content
    assert [(row.token, row.logprob) for row in rows] == [("Two", -0.5), ("words.", -0.5)]
    assert [one.token for one in rows[0].top_logprobs] == ["so"]
    plain = await served.say(agent.id, said)
    assert (plain.logprobs, plain.turns) == (None, None)
    for path in ("/async", "/stream"):
        refused = await served.http.post(
            f"/v1/agents/{agent.id}/messages{path}", json={"input": "x", **more}
        )
        assert refused.status_code == 422


@pytest.mark.rule("streaming-3.1", "api-8.4", "G-26")
async def test_ids_of_every_reply_where_the_server_knows_them(tmp_path: Path) -> None:
    async with (
        serving(ModelServer().answer) as url,
        serving(AnthropicServer().answer) as vendor_url,
    ):
        settings = Settings(
            data_dir=tmp_path,
            default_model="vllm/scripted-1",
            provider_values={
                "VLLM_API_BASE": f"{url}/v1",
                "ANTHROPIC_API_KEY": "key",
                "ANTHROPIC_BASE_URL": f"{vendor_url}/v1",
            },
        )
        app = create_app(settings)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, timeout=PATIENCE_S) as http,
        ):
            letta = AsyncLetta(
                base_url="http://eunoe",
                api_key="x",
                http_client=http,
                max_retries=0,
                _strict_response_validation=True,
            )
            agent = await letta.agents.create()
            more: Any = {"return_token_ids": True}
            send: Any = letta.agents.messages.create
            reply: Any = await send(
                agent.id, input="CALL conversation_search {} SAY Two words.", **more
            )
            assert reply.logprobs is None
            turns: list[Any] = reply.turns
            called, returned, said = turns
            assert (called.role, called.output_ids, called.content) == ("assistant", [], None)
            assert (returned.role, returned.tool_name) == ("tool", "conversation_search")
            assert "results" in str(returned.content)
            assert (said.content, said.output_ids) == ("Two words.", [0, 1])
            assert said.output_token_logprobs == [[-0.5, 0], [-0.5, 1]]
            vendor: Any = await letta.agents.create(model="anthropic/claude-haiku-4-5")
            asked: Any = {"return_logprobs": True}
            with pytest.raises(APIStatusError, match="log probabilities") as refused:
                await send(vendor.id, input="Hi.", **asked)
            assert refused.value.status_code == 400
