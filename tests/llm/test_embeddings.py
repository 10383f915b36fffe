"""Embeddings over real HTTP."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import orjson
import pytest

from eunoe.errors import ModelReplyCut, ModelReplyInvalid, ModelRequestRefused
from eunoe.llm.connection import Timeouts, client
from eunoe.llm.embeddings import ChatEmbedder
from eunoe.llm.faults import Origin
from eunoe.testing.http_server import Answer, Request, response, serving
from eunoe.testing.model_server import ServerOptions, scripted_model_server
from tests.llm.talk import QUICK, answering, refusing

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def embedder_at(
    url: str, *, model: str = "embed-1", dimensions: int | None = None, batch_size: int = 32
) -> AsyncGenerator[ChatEmbedder]:
    timeouts = Timeouts()
    http = client(base_url=url, headers={}, params={}, timeouts=timeouts)
    try:
        yield ChatEmbedder(
            client=http,
            origin=Origin(name="fake"),
            timeouts=timeouts,
            retries=QUICK,
            model=model,
            dimensions=dimensions,
            batch_size=batch_size,
        )
    finally:
        await http.aclose()


@pytest.mark.rule("P43")
async def test_vectors_are_in_the_order_of_the_texts_over_several_batches() -> None:
    texts = [f"text number {n}" for n in range(70)]
    async with (
        scripted_model_server(ServerOptions(dimensions=64)) as url,
        embedder_at(url, dimensions=64) as embedder,
    ):
        vectors = await embedder.embed(texts, purpose="store")
        again = [(await embedder.embed([text], purpose="search"))[0] for text in texts[::23]]
    assert vectors[::23] == again
    assert all(math.isclose(sum(x * x for x in v), 1.0, rel_tol=1e-6) for v in vectors)
    assert len(set(vectors)) == 70


@pytest.mark.rule("P43")
async def test_a_blank_text_costs_nobody_his_vector() -> None:
    async with (
        scripted_model_server(ServerOptions(dimensions=8)) as url,
        embedder_at(url) as embedder,
    ):
        assert len(await embedder.embed(["tea", "", "  \n"], purpose="store")) == 3
        assert await embedder.embed([], purpose="store") == []


@pytest.mark.rule("P43")
async def test_a_batch_that_is_refused_is_halved() -> None:
    sizes: list[int] = []

    def answer(request: Request) -> Answer:
        inputs: list[str] = orjson.loads(request.body)["input"]
        sizes.append(len(inputs))
        if len(inputs) > 2:
            return refusing(400)
        data = [{"index": i, "embedding": [float(text)]} for i, text in enumerate(inputs)]
        return response(200, orjson.dumps({"data": data[::-1]}))

    async with serving(answer) as url, embedder_at(url) as embedder:
        vectors = await embedder.embed([str(n) for n in range(7)], purpose="store")
    assert vectors == [(float(n),) for n in range(7)]
    assert sizes == [7, 3, 1, 2, 4, 2, 2]


async def test_one_text_that_is_refused_is_an_error() -> None:
    async with serving(lambda _: refusing(400)) as url, embedder_at(url) as embedder:
        with pytest.raises(ModelRequestRefused):
            await embedder.embed(["a", "b"], purpose="store")


@pytest.mark.rule("FIX-68")
async def test_a_busy_provider_is_asked_again() -> None:
    good = response(200, b'{"data": [{"index": 0, "embedding": [1, 2]}]}')
    answer, requests = answering(refusing(503), good)
    async with serving(answer) as url, embedder_at(url) as embedder:
        assert await embedder.embed(["a"], purpose="search") == [(1.0, 2.0)]
    assert len(requests) == 2


async def test_packed_numbers_are_read_too() -> None:
    packed = b'{"data": [{"index": 0, "embedding": "AACAPwAAAEA="}]}'
    async with serving(lambda _: response(200, packed)) as url, embedder_at(url) as embedder:
        assert await embedder.embed(["a"], purpose="store") == [(1.0, 2.0)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'{"data": [{"index": 0, "embedding": [1, 2]}', ModelReplyCut),
        (b'{"data": []}', ModelReplyInvalid),
        (b'{"data": [{"embedding": [1]}]}', ModelReplyInvalid),
        (b'{"data": [{"index": 0, "embedding": [1, 2, 3]}]}', ModelReplyInvalid),
        (b"[]", ModelReplyInvalid),
    ],
)
async def test_what_is_no_vector_for_each_text_is_an_error(
    body: bytes, error: type[Exception]
) -> None:
    async with (
        serving(lambda _: response(200, body)) as url,
        embedder_at(url, dimensions=2) as embedder,
    ):
        with pytest.raises(error):
            await embedder.embed(["a"], purpose="store")


async def test_shorter_vectors_are_asked_for_where_the_model_can() -> None:
    answer, requests = answering(response(200, b'{"data": [{"index": 0, "embedding": [1, 2]}]}'))
    async with (
        serving(answer) as url,
        embedder_at(url, model="text-embedding-3-small", dimensions=2) as embedder,
    ):
        await embedder.embed(["a"], purpose="store")
    assert orjson.loads(requests[0].body)["dimensions"] == 2
