"""Models and windows as each kind of endpoint reports them."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from eunoe.llm.providers import ProviderConfig
from eunoe.llm.sources import Endpoint, Listed
from eunoe.testing.http_server import Answer, Answerer, Request, json_response, response, serving
from tests.llm.talk import QUICK

pytestmark = pytest.mark.anyio


def _serving(pages: Mapping[str, Any]) -> Answerer:
    """Serve each path's JSON; a page that is callable is given the request's body."""

    def answer(request: Request) -> Answer:
        page = pages.get(request.path)
        if page is None:
            return response(404, b'{"error": "no such page"}')
        return json_response(page(orjson.loads(request.body)) if callable(page) else page)

    return answer


async def listed(provider_type: str, pages: Mapping[str, Any], *, path: str = "/v1") -> Listed:
    async with serving(_serving(pages)) as root:
        provider = ProviderConfig(name="mine", provider_type=provider_type, base_url=root + path)
        endpoint = Endpoint(provider, retries=QUICK)
        try:
            return await endpoint.listed()
        finally:
            await endpoint.aclose()


def windows(found: Listed) -> dict[str, int]:
    return {m.handle: m.context_window for m in found.models}


def spaces(found: Listed) -> dict[str, int]:
    return {e.handle: e.dimensions for e in found.embeddings}


async def test_openai_is_filled_in_from_the_catalog() -> None:
    names = ["gpt-4o-mini", "gpt-5.1", "whisper-1", "dall-e-3", "text-embedding-3-large", "novel-1"]
    found = await listed("openai", {"/v1/models": {"data": [{"id": n} for n in names]}})
    assert windows(found) == {
        "mine/gpt-4o-mini": 128_000,
        "mine/gpt-5.1": 400_000,
        "mine/novel-1": 30_000,
    }
    assert spaces(found) == {"mine/text-embedding-3-large": 3_072}


async def test_vllm_and_openrouter_say_their_windows() -> None:
    page = {"data": [{"id": "org/model-7b", "max_model_len": 16_384}]}
    assert windows(await listed("vllm", {"/v1/models": page})) == {"mine/org/model-7b": 16_384}
    top = {"context_length": 99, "max_completion_tokens": 7}
    page = {"data": [{"id": "a/b", "context_length": 65_536, "top_provider": top}]}
    found = await listed("openrouter", {"/v1/models": page})
    assert windows(found) == {"mine/a/b": 65_536}
    assert found.models[0].max_output_tokens == 7


async def test_together_answers_with_a_bare_list() -> None:
    page = [{"id": "x/chat", "context_length": 8_192}]
    assert windows(await listed("together", {"/v1/models": page})) == {"mine/x/chat": 8_192}


async def test_llamacpp_has_the_window_it_was_started_with() -> None:
    pages = {
        "/v1/models": {"data": [{"id": "some.gguf", "owned_by": "llamacpp"}]},
        "/props": {"default_generation_settings": {"n_ctx": 4_096}},
    }
    assert windows(await listed("openai", pages)) == {"mine/some.gguf": 4_096}


NEW: Mapping[str, Any] = {
    "/api/v1/models": {
        "models": [
            {"type": "llm", "key": "qwen", "max_context_length": 32_768,
             "loaded_instances": [{"id": "qwen", "config": {"context_length": 8_192}}]},
            {"type": "llm", "key": "idle", "max_context_length": 16_384, "loaded_instances": []},
            {"type": "embedding", "key": "text-embedding-nomic-embed-text-v1.5"},
        ]
    }
}  # fmt: skip
OLD: Mapping[str, Any] = {
    "/api/v1/models": {"error": "Unexpected endpoint or method."},
    "/api/v0/models": {
        "data": [
            {
                "type": "llm",
                "id": "qwen",
                "max_context_length": 32_768,
                "loaded_context_length": 8_192,
            },
            {"type": "vlm", "id": "idle", "max_context_length": 16_384},
            {"type": "embeddings", "id": "text-embedding-nomic-embed-text-v1.5"},
        ]
    },
}


@pytest.mark.parametrize("pages", [NEW, OLD], ids=["v1", "v0"])
async def test_lmstudio_says_what_is_loaded(pages: Mapping[str, Any]) -> None:
    found = await listed("lmstudio_openai", pages)
    assert windows(found) == {"mine/qwen": 8_192, "mine/idle": 16_384}
    assert spaces(found) == {"mine/text-embedding-nomic-embed-text-v1.5": 768}


async def test_an_lmstudio_without_its_own_interface_is_asked_like_any_other() -> None:
    found = await listed("lmstudio_openai", {"/v1/models": {"data": [{"id": "qwen2.5-7b"}]}})
    assert windows(found) == {"mine/qwen2.5-7b": 32_768}


async def test_ollama_is_asked_about_each_model() -> None:
    def show(body: dict[str, str]) -> dict[str, Any]:
        return {
            "llama:8b": {
                "model_info": {"general.architecture": "llama", "llama.context_length": 131_072}
            },
            "small": {
                "parameters": "stop x\nnum_ctx    8192",
                "model_info": {"general.architecture": "a", "a.context_length": 99},
            },
            "vectors": {
                "model_info": {"general.architecture": "bert", "bert.embedding_length": 512},
                "capabilities": ["embedding"],
            },
        }[body["model"]]

    tags = {"models": [{"name": "llama:8b"}, {"name": "small"}, {"name": "vectors"}]}
    found = await listed("ollama", {"/api/tags": tags, "/api/show": show})
    assert windows(found) == {"mine/llama:8b": 131_072, "mine/small": 8_192}
    assert spaces(found) == {"mine/vectors": 512}


async def test_google_lists_what_generates() -> None:
    models = [
        {"name": "models/gemini-2.5-pro", "inputTokenLimit": 1_000, "outputTokenLimit": 10,
         "supportedGenerationMethods": ["generateContent"]},
        {"name": "models/aqa", "supportedGenerationMethods": ["generateAnswer"]},
    ]  # fmt: skip
    found = await listed("google_ai", {"/v1beta/models": {"models": models}}, path="")
    assert windows(found) == {"mine/gemini-2.5-pro": 1_000}


async def test_an_unknown_embedding_model_is_measured() -> None:
    def embed(body: dict[str, Any]) -> dict[str, Any]:
        return {"data": [{"index": 0, "embedding": [0.0] * 17}]} if body["input"] else {}

    page = {"data": [{"id": "novel-embedder"}]}
    found = await listed("openai", {"/v1/models": page, "/v1/embeddings": embed})
    assert spaces(found) == {"mine/novel-embedder": 17}
    assert spaces(await listed("openai", {"/v1/models": page})) == {}
