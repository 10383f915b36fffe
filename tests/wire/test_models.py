"""Models on the wire, read with the official client's own types."""

import pytest
from letta_client.types import EmbeddingModel, LlmConfig, Model
from letta_client.types.agent_state import ModelSettings
from pydantic import TypeAdapter, ValidationError

from eunoe.domain.models import EmbeddingConfig, EmbeddingListing, ModelConfig, ModelListing
from eunoe.wire.model_settings import ModelSettingsBody, model_settings
from eunoe.wire.models import (
    LlmConfigBody,
    embedding_config,
    listed_embedding_model,
    listed_model,
    llm_config,
)

_PROVIDERS = [
    "anthropic", "azure", "bedrock", "deepseek", "google_ai", "google_vertex", "groq",
    "lmstudio_openai", "ollama", "openai", "together", "vllm", "sglang", "openrouter", "xai", "zai",
    "mistral", "llamacpp", "somebody_elses",
]  # fmt: skip
_settings: TypeAdapter[ModelSettings] = TypeAdapter(ModelSettings)


def _config(provider_type: str) -> ModelConfig:
    return ModelConfig(
        handle="p/m", model="m", provider_type=provider_type, provider_name="p", temperature=0.5
    )


@pytest.mark.rule("api-17.3", "api-17.4")
@pytest.mark.parametrize("provider", _PROVIDERS)
def test_listings_fit_the_client_whoever_the_provider_is(provider: str) -> None:
    model = ModelListing(
        handle="p/m",
        model="m",
        provider_type=provider,
        provider_name="p",
        endpoint=None,
        context_window=32_000,
    )
    read = Model.model_validate(listed_model(model))
    assert (read.name, read.max_context_window, read.context_window) == ("m", 32_000, 32_000)
    assert read.temperature == (1.0 if provider == "anthropic" else 0.7)

    embedding = EmbeddingListing(
        handle="p/e",
        model="e",
        provider_type=provider,
        provider_name="p",
        endpoint=None,
        dimensions=384,
    )
    shown = EmbeddingModel.model_validate(listed_embedding_model(embedding))
    assert (shown.embedding_dim, shown.embedding_chunk_size, shown.batch_size) == (384, 300, 32)


@pytest.mark.rule("api-17.5", "R8")
@pytest.mark.parametrize("provider", _PROVIDERS)
def test_settings_have_the_discriminator_and_the_values_of_the_config(provider: str) -> None:
    shown = model_settings(_config(provider))
    _settings.validate_python(shown)
    assert shown["temperature"] == 0.5
    assert shown["max_output_tokens"] >= 4096
    LlmConfig.model_validate(llm_config(_config(provider)))
    if provider in ("anthropic", "zai"):
        assert shown["thinking"]["type"] == "enabled"


@pytest.mark.rule("R9")
def test_only_what_was_sent_counts_as_sent() -> None:
    body = ModelSettingsBody.model_validate(
        {"provider_type": "openai", "temperature": 0.1, "unknown": 3, "strict": None}
    )
    assert body.sent() == {"provider_type": "openai", "temperature": 0.1}


@pytest.mark.rule("api-6.6")
def test_an_unknown_provider_type_in_settings_is_refused() -> None:
    with pytest.raises(ValidationError):
        ModelSettingsBody.model_validate({"provider_type": "nobody"})


@pytest.mark.rule("api-6.6")
def test_an_old_configuration_names_its_model_by_provider_and_never_an_address() -> None:
    wish = LlmConfigBody.model_validate(
        {
            "model": "gpt-4o-mini",
            "model_endpoint_type": "openai",
            "model_endpoint": "http://169.254.169.254/",
            "context_window": 9_000,
            "verbosity": "low",
        }
    ).wish()
    assert (wish.handle, wish.context_window) == ("openai/gpt-4o-mini", 9_000)
    assert wish.settings == {"verbosity": "low"}
    assert "169" not in repr(wish)


def test_no_embedding_is_null_and_one_is_whole() -> None:
    assert embedding_config(None) is None
    shown = embedding_config(
        EmbeddingConfig(handle="p/e", model="e", provider_type="ollama", dimensions=384)
    )
    assert shown is not None
    assert (shown["embedding_dim"], shown["embedding_endpoint_type"]) == (384, "ollama")
