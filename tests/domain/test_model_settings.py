"""What a caller's settings make of a model's configuration."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.drafts import ModelWish
from eunoe.domain.messages import Json
from eunoe.domain.model_settings import adjusted, wished, with_reasoning, with_settings
from eunoe.domain.models import ModelConfig
from eunoe.errors import Invalid


def _config(provider_type: str = "openai", model: str = "gpt-4.1") -> ModelConfig:
    return ModelConfig(
        handle=f"{provider_type}/{model}",
        model=model,
        provider_type=provider_type,
        provider_name=provider_type,
        context_window=200_000,
    )


_EFFORT: dict[str, st.SearchStrategy[Any]] = {
    "reasoning_effort": st.sampled_from(["none", "low", "high"])
}
_THINKING: dict[str, st.SearchStrategy[Any]] = {
    "type": st.sampled_from(["enabled", "disabled"]),
    "budget_tokens": st.integers(1024, 9000),
}


def _some(optional: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=optional)


sent_settings = _some(
    {
        "max_output_tokens": st.integers(1, 100_000),
        "temperature": st.floats(0, 2),
        "parallel_tool_calls": st.booleans(),
        "strict": st.booleans(),
        "reasoning": _some(_EFFORT),
        "thinking": _some(_THINKING),
        "effort": st.sampled_from(["low", "max"]),
    }
)


@pytest.mark.rule("R9")
@given(sent=sent_settings)
def test_a_setting_that_was_not_sent_keeps_its_value(sent: Json) -> None:
    config = replace(
        _config(),
        max_output_tokens=777,
        temperature=0.25,
        parallel_tool_calls=True,
        reasoning_effort="medium",
    )
    merged = with_settings(config, sent)

    assert merged.max_output_tokens == sent.get("max_output_tokens", 777)
    assert merged.temperature == sent.get("temperature", 0.25)
    assert merged.parallel_tool_calls == sent.get("parallel_tool_calls", True)
    effort = sent.get("reasoning", {}).get("reasoning_effort", "medium")
    assert merged.reasoning_effort == effort


@pytest.mark.rule("R9")
@given(sent=sent_settings)
def test_sending_settings_twice_changes_nothing_more(sent: Json) -> None:
    once = with_settings(_config(), sent)
    assert with_settings(once, sent) == once


@pytest.mark.rule("FIX-53")
def test_thinking_disabled_switches_reasoning_off() -> None:
    off = with_settings(_config("anthropic", "claude-x"), {"thinking": {"type": "disabled"}})
    assert off.enable_reasoner is False


@pytest.mark.rule("api-6.5", "api-17.8")
def test_the_context_window_is_capped_unless_the_caller_gives_one() -> None:
    assert wished(_config(), ModelWish(), agent_type="letta_v1_agent").context_window == 128_000
    small = replace(_config(), context_window=8_000)
    assert wished(small, ModelWish(), agent_type="letta_v1_agent").context_window == 8_000
    larger = ModelWish(context_window=900_000)
    assert wished(small, larger, agent_type="letta_v1_agent").context_window == 900_000


@pytest.mark.rule("api-6.5")
def test_more_tokens_for_reasoning_than_for_the_reply_are_refused() -> None:
    wish = ModelWish(max_output_tokens=2_000, max_reasoning_tokens=3_000)
    config = _config("anthropic", "claude-sonnet-4-5")
    with pytest.raises(Invalid):
        wished(config, wish, agent_type="letta_v1_agent")
    small = wished(config, ModelWish(max_output_tokens=512), agent_type="letta_v1_agent")
    assert (small.max_output_tokens, small.max_reasoning_tokens) == (512, 1_024)


@pytest.mark.rule("R5")
@pytest.mark.parametrize(
    ("provider", "model", "on", "reasons", "effort"),
    [
        ("openai", "o3", False, True, "medium"),
        ("openai", "gpt-5", False, True, "minimal"),
        ("openai", "gpt-5.2", False, True, "none"),
        ("openai", "gpt-5-codex", False, True, "medium"),
        ("openai", "gpt-4.1", True, False, None),
        ("anthropic", "claude-sonnet-4-20250514", False, False, None),
        ("anthropic", "claude-sonnet-4-20250514", True, True, None),
        ("anthropic", "claude-3-5-haiku", True, False, None),
        ("google_ai", "gemini-2.5-pro", False, True, None),
        ("google_ai", "gemini-2.5-flash", False, False, None),
        ("zai", "glm-4.6", True, True, None),
        ("ollama", "qwen3", True, False, None),
    ],
)
def test_the_reasoning_flag_does_what_the_model_allows(
    provider: str, model: str, on: bool, reasons: bool, effort: str | None
) -> None:
    config = with_reasoning(_config(provider, model), on=on)
    assert (config.enable_reasoner, config.reasoning_effort) == (reasons, effort)


@pytest.mark.rule("R5")
def test_an_adaptive_model_gets_no_budget_and_an_older_one_a_default() -> None:
    older = with_reasoning(_config("anthropic", "claude-sonnet-4-5"), on=True)
    assert older.max_reasoning_tokens == 1_024
    adaptive = with_reasoning(_config("anthropic", "claude-opus-4-6"), on=True)
    assert adaptive.max_reasoning_tokens == 0


@pytest.mark.rule("R4")
@pytest.mark.parametrize("model", ["gpt-5-codex", "gpt-5.1-codex-mini"])
def test_the_least_effort_is_refused_for_a_model_that_does_not_know_it(model: str) -> None:
    wish = ModelWish(settings={"reasoning": {"reasoning_effort": "minimal"}})
    with pytest.raises(Invalid, match="minimal"):
        adjusted(_config("openai", model), wish)
    assert adjusted(_config("openai", "gpt-5"), wish).reasoning_effort == "minimal"


@pytest.mark.rule("api-6.6")
def test_parallel_tool_calls_given_by_themselves_win_over_the_settings() -> None:
    wish = ModelWish(parallel_tool_calls=False, settings={"parallel_tool_calls": True})
    assert adjusted(_config(), wish).parallel_tool_calls is False


@pytest.mark.rule("api-6.7", "R5", "R6", "A6")
@pytest.mark.parametrize(
    ("model", "asked", "wanted"),
    [
        ("openai/gpt-4.1", None, True),
        ("openai/gpt-4.1", True, True),
        ("openai/gpt-4.1", False, False),
        ("openai/gpt-5", None, False),
        ("openai/gpt-5", True, False),
        ("anthropic/claude-sonnet-4-5", True, False),
        ("anthropic/claude-sonnet-4-5", False, False),
        ("anthropic/claude-3-5-haiku", None, True),
        ("google_ai/gemini-2.5-flash", True, True),
        ("google_ai/gemini-2.5-flash", False, False),
        ("openrouter/any", True, False),
    ],
)
def test_who_does_not_reason_by_itself_thinks_in_an_argument(
    model: str, asked: bool | None, wanted: bool
) -> None:
    provider, _, name = model.partition("/")
    wish = ModelWish(reasoning=asked)
    made = wished(_config(provider, name), wish, agent_type="memgpt_agent")
    assert made.put_inner_thoughts_in_kwargs is wanted
    set_ = replace(wish, inner_thoughts=not wanted)
    changed = wished(_config(provider, name), set_, agent_type="memgpt_agent")
    assert changed.put_inner_thoughts_in_kwargs is not wanted
    for plain in ("letta_v1_agent", "sleeptime_agent"):
        assert not wished(
            _config(provider, name), set_, agent_type=plain
        ).put_inner_thoughts_in_kwargs
