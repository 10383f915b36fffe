"""Embeddings of the real local model."""

import subprocess
import sys
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest

from eunoe.domain.models import EmbeddingConfig
from eunoe.errors import EmbeddingUnknown
from eunoe.llm.local_catalog import DEFAULT_EMBEDDING
from eunoe.llm.local_embeddings import LocalEmbedder
from eunoe.llm.local_source import LocalProvider

pytestmark = [pytest.mark.anyio]

PAIRS = [
    ("Her dog is called Rex.", "What is the name of the pet?"),
    ("She is allergic to peanuts.", "Which food makes her ill?"),
    ("The train to Rome leaves at nine.", "When does the railway journey start?"),
    ("He earns his living as a carpenter.", "What is his job?"),
    ("They are getting married in June.", "When is the wedding?"),
    ("I moved from Turin to Milan.", "Which city do I live in now?"),
]
CONFIG = EmbeddingConfig(
    handle=DEFAULT_EMBEDDING.handle,
    model=DEFAULT_EMBEDDING.name,
    provider_type="local",
    dimensions=384,
)


@pytest.fixture
async def embedder(minilm_folder: Path) -> AsyncGenerator[LocalEmbedder]:
    made = LocalEmbedder(minilm_folder / DEFAULT_EMBEDDING.name)
    yield made
    await made.aclose()


def dot(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.local_model
async def test_a_question_is_nearest_to_what_answers_it(embedder: LocalEmbedder) -> None:
    facts = await embedder.embed([fact for fact, _ in PAIRS], purpose="store")
    questions = await embedder.embed([question for _, question in PAIRS], purpose="search")
    nearest = [max(range(len(facts)), key=lambda n: dot(q, facts[n])) for q in questions]
    assert sum(found == number for number, found in enumerate(nearest)) >= 5


@pytest.mark.local_model
async def test_a_vector_is_of_length_one_and_the_same_in_any_company(
    embedder: LocalEmbedder,
) -> None:
    long = "word " * 3_000
    together = await embedder.embed(["", "Hello.", long], purpose="store")
    alone = await embedder.embed(["Hello."], purpose="search")
    assert together[1] == alone[0]
    for vector in together:
        assert len(vector) == DEFAULT_EMBEDDING.dimensions
        assert dot(vector, vector) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.local_model
def test_nothing_heavy_is_loaded_before_the_first_text(minilm_folder: Path) -> None:
    probe = f"""
import asyncio, sys
from pathlib import Path
from tests.llm.test_local_embeddings import CONFIG
from eunoe.llm.local_source import LocalProvider

async def main():
    provider = LocalProvider(Path({str(minilm_folder)!r}))
    listed = await provider.listed()
    assert [one.handle for one in listed.embeddings] == [CONFIG.handle]
    embedder = provider.embedder(CONFIG)
    heavy = {{"numpy", "onnxruntime", "tokenizers", "xllamacpp"}}
    assert not heavy & set(sys.modules), heavy & set(sys.modules)
    assert len((await embedder.embed(["text"], purpose="store"))[0]) == 384
    await provider.aclose()

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=120)


async def test_an_embedding_model_that_is_not_there_is_unknown(tmp_path: Path) -> None:
    provider = LocalProvider(tmp_path)
    assert (await provider.listed()).embeddings == ()
    with pytest.raises(EmbeddingUnknown, match="eunoe models pull all-minilm-l6-v2"):
        provider.embedder(CONFIG)
    await provider.aclose()
