"""Which providers an environment makes, and where they live."""

from typing import get_args

import pytest

from eunoe.llm.providers import (
    BASE_URLS,
    base_url,
    family_of,
    providers_from,
    split_handle,
    variable_names,
)
from eunoe.wire.providers import ProviderType


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


@pytest.mark.rule("P1", "P4")
@pytest.mark.parametrize(
    ("name", "base"),
    [
        ("baseten", "https://inference.baseten.co/v1"),
        ("cerebras", "https://api.cerebras.ai/v1"),
        ("deepseek", "https://api.deepseek.com/v1"),
        ("fireworks", "https://api.fireworks.ai/inference/v1"),
        ("groq", "https://api.groq.com/openai/v1"),
        ("minimax", "https://api.minimax.io/anthropic"),
        ("mistral", "https://api.mistral.ai/v1"),
        ("openrouter", "https://openrouter.ai/api/v1"),
        ("together", "https://api.together.xyz/v1"),
        ("xai", "https://api.x.ai/v1"),
        ("zai", "https://api.z.ai/api/paas/v4"),
    ],
)
def test_a_hosted_provider_needs_its_key_and_may_be_elsewhere(name: str, base: str) -> None:
    key = {f"{name.upper()}_API_KEY": "k"}
    (found,) = providers_from(key)
    assert (found.name, found.provider_type, found.base_url) == (name, name, base)
    (proxied,) = providers_from(key | {f"{name.upper()}_BASE_URL": "http://proxy/x"})
    assert proxied.base_url == "http://proxy/x"


@pytest.mark.rule("P1")
def test_clouds_are_named_by_their_own_variables() -> None:
    assert providers_from({"GOOGLE_CLOUD_PROJECT": "p"}) == []
    google = {"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_LOCATION": "global"}
    aws = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"}
    bedrock, vertex = providers_from(google | aws | {"AWS_DEFAULT_REGION": "eu-central-1"})
    assert (vertex.provider_type, vertex.project, vertex.region) == ("google_vertex", "p", "global")
    assert (bedrock.access_key, bedrock.api_key, bedrock.session_token) == ("a", "s", "t")
    assert bedrock.region == "eu-central-1"
    assert not {"s", "t"} & set(repr(bedrock).split("'"))


@pytest.mark.rule("P17")
def test_openrouter_is_told_which_application_asks() -> None:
    values = {"OPENROUTER_API_KEY": "k", "OPENROUTER_REFERER": "https://me.example"}
    (provider,) = providers_from(values)
    assert provider.headers == {"http-referer": "https://me.example"}


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
    assert set(BASE_URLS) <= set(get_args(ProviderType))
    assert {family_of(t) for t in get_args(ProviderType)} == {
        "chat",
        "anthropic",
        "google",
        "bedrock",
    }
    assert family_of("something-new") == "chat"
