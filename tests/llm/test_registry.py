"""The registry: handles, lists that break, and whose clients end when."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.errors import EmbeddingUnknown, ModelKeyRefused, ModelUnknown, ModelUnreachable
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.registry import Registry, in_order
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import Answer, Request, json_response, serving
from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.llm.talk import CONFIG, OK, QUICK, answering, asking, refusing, said, text_in

pytestmark = pytest.mark.anyio
GONE = "http://127.0.0.1:9/v1"


def endpoint(
    base_url: str, *, name: str = "openai", provider_type: str = "openai", key: str | None = None
) -> Endpoint:
    provider = ProviderConfig(
        name=name, provider_type=provider_type, base_url=base_url, api_key=key
    )
    return Endpoint(provider, retries=QUICK)


@asynccontextmanager
async def registry_of(*sources: Endpoint) -> AsyncGenerator[Registry]:
    registry = Registry(sources)
    try:
        yield registry
    finally:
        await registry.aclose()


def handles(listings: Sequence[object]) -> list[str]:
    return [getattr(listing, "handle") for listing in listings]  # noqa: B009 - either kind of listing


@pytest.mark.rule("api-17.1", "api-17.2")
async def test_handles_begin_with_the_providers_name_and_are_sorted() -> None:
    options = ServerOptions(models=("b-1", "a-1", "text-embedding-3-small"), context_window=5_000)
    async with scripted_model_server(options) as url:
        sources = [endpoint(url, name="mine", provider_type="vllm"), endpoint(url)]
        async with registry_of(*sources) as registry:
            models = await registry.models()
            embeddings = await registry.embeddings()
    assert handles(models) == ["openai/a-1", "openai/b-1", "mine/a-1", "mine/b-1"]
    assert {m.context_window for m in models} == {5_000}
    assert handles(embeddings) == ["openai/text-embedding-3-small", "mine/text-embedding-3-small"]
    assert models[0].endpoint == url


@pytest.mark.rule("api-17.2")
def test_models_are_listed_in_the_order_of_providers_and_then_by_name() -> None:
    types = [
        *("letta", "openai", "anthropic", "ollama", "google_ai", "google_vertex", "azure", "groq"),
        *("together", "vllm", "bedrock", "deepseek", "xai", "lmstudio_openai", "zai", "zai_coding"),
        *("openrouter", "cerebras"),
    ]
    listings = [
        ProviderConfig(name=kind, provider_type=kind, base_url=GONE).model(
            name, context_window=5_000
        )
        for kind in reversed(types)
        for name in ("b-1", "a-1")
    ]
    expected = [f"{kind}/{name}" for kind in types for name in ("a-1", "b-1")]
    assert handles(in_order(listings)) == expected


@pytest.mark.rule("api-17.6")
async def test_a_broken_provider_contributes_nothing() -> None:
    async with scripted_model_server() as url:
        sources = [endpoint(GONE, name="gone"), endpoint(url)]
        async with registry_of(*sources) as registry:
            with capture_logs() as logs:
                assert {m.provider_name for m in await registry.models()} == {"openai"}
                with pytest.raises(ModelUnreachable):
                    await registry.refresh("gone")
    (told,) = logs
    assert (told["event"], told["provider"]) == ("provider.failed", "gone")
    assert "cannot be reached" in told["error"]


async def test_a_list_is_asked_for_once_and_kept() -> None:
    async with scripted_model_server() as url, registry_of(endpoint(url)) as registry:
        first = await registry.models()
        await registry.embeddings()
        config = await registry.resolve("openai/gpt-4.1")
        asked = await said(registry.model_for(config), asking("SAY hi", config=config))
        assert await registry.models() == first
        assert text_in(asked) == "hi"
        async with httpx.AsyncClient() as http:
            stats = (await http.get(url.removesuffix("/v1") + "/stats")).json()
    assert stats["/v1/models"] == 1


@pytest.mark.rule("api-17.7")
async def test_handles_that_nobody_serves() -> None:
    async with scripted_model_server() as url, registry_of(endpoint(url)) as registry:
        for handle in ("nobody/gpt-4.1", "openai/no-such-model", "openai", "openai/"):
            with pytest.raises(ModelUnknown):
                await registry.resolve(handle)
        for handle in ("nobody/embed", "openai/gpt-4.1", "openai/no-embedder"):
            with pytest.raises(EmbeddingUnknown):
                await registry.resolve_embedding(handle)


async def test_what_is_resolved_can_be_used() -> None:
    async with scripted_model_server() as url, registry_of(endpoint(url)) as registry:
        config = await registry.resolve("openai/gpt-4o-mini")
        space = await registry.resolve_embedding("openai/text-embedding-3-small")
        (vector,) = await registry.embedder_for(space).embed(["tea"], purpose="search")
    assert config == ModelConfig(
        handle="openai/gpt-4o-mini",
        model="gpt-4o-mini",
        provider_type="openai",
        provider_name="openai",
        endpoint=url,
        context_window=128_000,
    )
    assert space == EmbeddingConfig(
        handle="openai/text-embedding-3-small",
        model="text-embedding-3-small",
        provider_type="openai",
        endpoint=url,
        dimensions=1_536,
    )
    assert len(vector) == 1_536


async def test_a_provider_that_is_down_is_taken_at_its_word() -> None:
    async with registry_of(endpoint(GONE)) as registry:
        config = await registry.resolve("openai/gpt-4o-mini")
        space = await registry.resolve_embedding("openai/text-embedding-3-small")
        with pytest.raises(EmbeddingUnknown):
            await registry.resolve_embedding("openai/whatever")
    assert (config.context_window, space.dimensions) == (128_000, 1_536)


async def test_an_azure_deployment_has_a_name_of_its_own() -> None:
    async with scripted_model_server() as url:
        source = endpoint(url, name="azure", provider_type="azure")
        async with registry_of(source) as registry:
            assert (await registry.resolve("azure/my-deployment")).model == "my-deployment"


@pytest.mark.rule("P17")
@pytest.mark.parametrize(
    ("path", "asked"),
    [
        ("/openai/v1", "/openai/v1/chat/completions"),
        ("", "/openai/deployments/mine/chat/completions"),
    ],
)
async def test_azure_has_two_kinds_of_address(path: str, asked: str) -> None:
    answer, requests = answering(OK)
    async with serving(answer) as url:
        source = endpoint(url + path, name="azure", provider_type="azure", key="secret-key")
        async with registry_of(source) as registry:
            config = replace(CONFIG, model="mine", provider_type="azure", provider_name="azure")
            await said(registry.model_for(config), asking(config=config))
    assert requests[0].path == asked
    assert requests[0].headers["api-key"] == "secret-key"


@pytest.mark.rule("api-18.6", "api-18.7")
async def test_a_refused_key_is_told_to_whoever_refreshes() -> None:
    async with serving(lambda _: refusing(401)) as url:
        source = endpoint(url, key="sk-wrong-key")
        async with registry_of(source) as registry:
            with pytest.raises(ModelKeyRefused):
                await registry.refresh("openai")
            assert await registry.models() == []


async def test_providers_come_and_go() -> None:
    async with scripted_model_server() as url, registry_of() as registry:
        await registry.put(endpoint(url, name="mine"))
        config = await registry.resolve("mine/gpt-4.1")
        await registry.put(endpoint(url, name="mine", key="another"))
        assert [p.api_key for p in registry.providers] == ["another"]
        assert (
            text_in(await said(registry.model_for(config), asking("SAY hi", config=config))) == "hi"
        )
        await registry.drop("mine")
        with pytest.raises(ModelUnknown):
            registry.model_for(config)
        assert await registry.models() == []


async def test_a_model_that_was_pulled_since_is_found() -> None:
    served = ["a"]

    def models(_: Request) -> Answer:
        return json_response({"data": [{"id": name} for name in served]})

    async with serving(models) as url:
        registry = Registry([endpoint(url)], recheck_s=0.0)
        with pytest.raises(ModelUnknown):
            await registry.resolve("openai/b")
        served.append("b")
        assert (await registry.resolve("openai/b")).model == "b"
        await registry.aclose()
