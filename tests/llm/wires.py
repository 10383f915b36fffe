"""The four wires that the adapters speak, each with the server that is scripted for it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace

import orjson

from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import Model
from eunoe.llm.connection import Timeouts
from eunoe.llm.faults import Origin
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.retries import Retries
from eunoe.llm.sources import Endpoint
from eunoe.llm.vendor import VendorModel
from eunoe.testing import chat_wire
from eunoe.testing.http_server import Answerer, serving
from eunoe.testing.model_server import ModelServer
from tests.fixtures import anthropic_server, google_server, responses_server
from tests.fixtures.anthropic_server import AnthropicServer
from tests.fixtures.google_server import GoogleServer
from tests.fixtures.responses_server import ResponsesServer
from tests.llm.talk import CONFIG, QUICK, chat_at

KEY = "sk-test-0123456789abcdef"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One wire. `served` makes its scripted server, `refusal` the body of an error on it."""

    config: ModelConfig
    served: Callable[[], Answerer]
    refusal: Callable[[int, str], bytes]
    path: str = "/v1"

    @asynccontextmanager
    async def model(
        self,
        answer: Answerer | None = None,
        *,
        timeouts: Timeouts | None = None,
        retries: Retries = QUICK,
    ) -> AsyncGenerator[Model]:
        """Give a model whose provider answers by `answer`, or by the script."""
        async with (
            serving(answer or self.served()) as url,
            self._talking(url + self.path, timeouts or Timeouts(), retries) as model,
        ):
            yield model

    def _talking(
        self, url: str, timeouts: Timeouts, retries: Retries
    ) -> AbstractAsyncContextManager[Model]:
        if self.config.provider_name == "fake":
            return chat_at(url, api_key=KEY, timeouts=timeouts, retries=retries)
        return _vendor_at(self.config, url, timeouts, retries)


@asynccontextmanager
async def _vendor_at(
    config: ModelConfig, url: str, timeouts: Timeouts, retries: Retries
) -> AsyncGenerator[Model]:
    kind = config.provider_type
    provider = ProviderConfig(name=kind, provider_type=kind, base_url=url, api_key=KEY)
    if kind == "openai":
        origin = Origin(name=kind, secrets=(KEY,))
        model = VendorModel(
            provider, wire="responses", origin=origin, timeouts=timeouts, retries=retries
        )
        try:
            yield model
        finally:
            await model.aclose()
        return
    endpoint = Endpoint(provider, timeouts=timeouts, retries=retries)
    try:
        yield endpoint.model(config)
    finally:
        await endpoint.aclose()


def _config(provider_type: str, model: str) -> ModelConfig:
    return ModelConfig(
        handle=f"{provider_type}/{model}",
        model=model,
        provider_type=provider_type,
        provider_name=provider_type,
        max_reasoning_tokens=1_024,
    )


LANES = {
    "chat": Lane(
        config=replace(CONFIG, max_reasoning_tokens=1_024),
        served=lambda: ModelServer().answer,
        refusal=chat_wire.refusal,
    ),
    "responses": Lane(
        config=_config("openai", "gpt-5.1"),
        served=lambda: ResponsesServer().answer,
        refusal=lambda status, text: orjson.dumps(responses_server.refusal(status, text)),
    ),
    "anthropic": Lane(
        config=_config("anthropic", "claude-haiku-4-5"),
        served=lambda: AnthropicServer().answer,
        refusal=lambda status, text: orjson.dumps(anthropic_server.refusal(status, text)),
    ),
    "google": Lane(
        config=_config("google_ai", "gemini-2.5-flash"),
        served=lambda: GoogleServer().answer,
        refusal=lambda status, text: orjson.dumps(google_server.refusal(status, text)),
        path="",
    ),
}
