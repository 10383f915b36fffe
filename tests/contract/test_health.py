"""The server says that it is there, and what it serves."""

import httpx
import pytest
from letta_client import Letta

from tests.contract.conftest import EMBEDDING, MODEL


@pytest.mark.rule("api-20", "api-1.1", "api-1.2")
def test_health(client: Letta, http: httpx.Client) -> None:
    health = client.health()
    assert health.status == "ok"
    for path in ("/v1/health/", "/v1/health", "/latest/health/"):
        assert http.get(path).json() == {"status": "ok", "version": health.version}


@pytest.mark.rule("api-17", "api-5.11")
def test_the_models_to_speak_with(client: Letta) -> None:
    models = {one.handle: one for one in client.models.list()}
    assert MODEL in models
    assert EMBEDDING not in models
    listed = models[MODEL]
    assert (listed.provider_type, listed.name) == ("openai", "scripted-1")
    assert listed.max_context_window == listed.context_window == 128_000
    assert [one.handle for one in client.models.list(provider_name="nobody")] == []


@pytest.mark.rule("api-17")
def test_the_models_that_embed(client: Letta) -> None:
    (listed,) = client.models.embeddings.list()
    assert (listed.handle, listed.embedding_dim) == (EMBEDDING, 1536)
