"""Which providers an environment makes, and where they live."""

import pytest

from eunoe.llm.providers import (
    BASE_URLS,
    PROVIDER_TYPES,
    base_url,
    family_of,
    providers_from,
    split_handle,
    variable_names,
)


def test_an_empty_environment_has_no_providers() -> None:
    assert providers_from({}) == []
    assert providers_from(dict.fromkeys(variable_names(), "  ")) == []


@pytest.mark.rule("P3", "P4")
def test_a_key_makes_a_provider_at_its_own_place() -> None:
    found = providers_from(
        {"OPENAI_API_KEY": " sk-1 ", "ANTHROPIC_API_KEY": "a", "GROQ_API_KEY": "g"}
    )
    assert [(p.name, p.provider_type, p.base_url, p.api_key) for p in found] == [
        ("openai", "openai", "https://api.openai.com/v1", "sk-1"),
        ("anthropic", "anthropic", "https://api.anthropic.com/v1", "a"),
        ("groq", "groq", "https://api.groq.com/openai/v1", "g"),
    ]
    assert "sk-1" not in repr(found[0])


def test_a_local_server_needs_an_address_and_no_key() -> None:
    found = providers_from({"OLLAMA_BASE_URL": "http://h:11434", "VLLM_API_BASE": "http://v/v1"})
    assert [(p.name, p.base_url, p.api_key) for p in found] == [
        ("ollama", "http://h:11434/v1", None),
        ("vllm", "http://v/v1", None),
    ]
    assert providers_from({"VLLM_API_KEY": "k"}) == []


def test_openai_elsewhere_keeps_its_name() -> None:
    (provider,) = providers_from({"OPENAI_BASE_URL": "http://127.0.0.1:8000/v1/"})
    assert (provider.name, provider.base_url) == ("openai", "http://127.0.0.1:8000/v1")


@pytest.mark.rule("P4")
@pytest.mark.parametrize(
    ("provider_type", "given", "base"),
    [
        ("openai", "http://h", "http://h/v1"),
        ("openai", "http://h/api", "http://h/api"),
        ("lmstudio_openai", "http://h:1234/", "http://h:1234/v1"),
        ("sglang", "http://h/v1/", "http://h/v1"),
        ("mistral", None, "https://api.mistral.ai/v1"),
        ("bedrock", None, ""),
    ],
)
def test_base_urls(provider_type: str, given: str | None, base: str) -> None:
    assert base_url(provider_type, given) == base


@pytest.mark.rule("api-17.1")
def test_only_the_first_slash_of_a_handle_separates() -> None:
    assert split_handle("openrouter/openai/gpt-4o") == ("openrouter", "openai/gpt-4o")
    assert split_handle("nothing") == ("nothing", "")


@pytest.mark.rule("P1", "P3")
def test_every_type_has_a_family_and_unknown_ones_speak_chat_completions() -> None:
    assert set(BASE_URLS) <= set(PROVIDER_TYPES)
    assert {family_of(t) for t in PROVIDER_TYPES} == {"chat", "anthropic", "google", "bedrock"}
    assert family_of("something-new") == "chat"
