"""Amazon's and Google's clouds: credentials, what is sent, and what is missing."""

import sys
from pathlib import Path

import orjson
import pytest

from eunoe.domain.models import ModelConfig
from eunoe.engine.failures import ending_of
from eunoe.errors import (
    BedrockExtraMissing,
    BedrockPermissionDenied,
    ModelKeyRefused,
    ModelRateLimited,
)
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.retries import Retries
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import serving
from tests.llm.talk import ECHO, NOOP, answering, asking, refusing, said

pytestmark = pytest.mark.anyio
SESSION = "session-of-the-test"
CLAUDE = "eu.anthropic.claude-haiku-4-5-20251001-v1:0"


def _config(provider_type: str, model: str) -> ModelConfig:
    return ModelConfig(
        handle=f"{provider_type}/{model}",
        model=model,
        provider_type=provider_type,
        provider_name=provider_type,
        max_reasoning_tokens=2_000,
        max_output_tokens=500,
    )


def bedrock(url: str) -> Endpoint:
    provider = ProviderConfig(
        name="bedrock",
        provider_type="bedrock",
        base_url=url,
        access_key="AKIATEST",
        api_key="secret-of-the-test",
        session_token=SESSION,
        region="eu-central-1",
    )
    return Endpoint(provider, retries=Retries(most=0))


@pytest.mark.rule("P29", "P36", "streaming-9.3", "FIX-66")
async def test_bedrock_is_asked_with_the_sessions_credentials() -> None:
    pytest.importorskip("boto3")
    config = _config("bedrock", CLAUDE)
    answer, requests = answering(
        refusing(429, b'{"message": "Slow"}', headers={"x-amzn-errortype": "ThrottlingException"}),
        refusing(403, b'{"message": "No"}', headers={"x-amzn-errortype": "AccessDeniedException"}),
    )
    async with serving(answer) as url:
        endpoint = bedrock(url)
        with pytest.raises(ModelRateLimited):
            await said(endpoint.model(config), asking(tools=[NOOP, ECHO], config=config))
        with pytest.raises(BedrockPermissionDenied) as denied:
            await said(endpoint.model(config), asking(config=config))
        await endpoint.aclose()
    assert ending_of(denied.value, run_id="run-1").reason == "error"
    request = requests[0]
    assert request.path.startswith("/model/eu.anthropic.claude-haiku-4-5")
    assert "AKIATEST" in request.headers["authorization"]
    assert request.headers["x-amz-security-token"] == SESSION
    sent = orjson.loads(request.body)
    assert sent["additionalModelRequestFields"]["thinking"] == {
        "type": "enabled",
        "budget_tokens": 2_000,
    }
    assert sent["inferenceConfig"]["maxTokens"] == 2_500
    assert "disable_parallel_tool_use" not in str(sent)
    cached = [sent["system"][-1], sent["toolConfig"]["tools"][-1]]
    assert all("cachePoint" in block for block in cached)


async def test_bedrock_without_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    config = _config("bedrock", CLAUDE)
    endpoint = bedrock("http://127.0.0.1:9")
    with pytest.raises(BedrockExtraMissing, match=r"eunoe\[bedrock\]"):
        await said(endpoint.model(config), asking(config=config))
    await endpoint.aclose()


async def test_google_cloud_without_credentials(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = str(tmp_path / "none.json")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", missing)
    config = _config("google_vertex", "gemini-2.5-flash")
    provider = ProviderConfig(
        name="google_vertex",
        provider_type="google_vertex",
        base_url="",
        project="p",
        region="global",
    )
    endpoint = Endpoint(provider)
    with pytest.raises(ModelKeyRefused, match="GOOGLE_APPLICATION_CREDENTIALS"):
        await said(endpoint.model(config), asking(config=config))
    await endpoint.aclose()
