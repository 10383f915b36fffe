"""What a caller's settings make of a model's configuration (agent 10.2, 10.3)."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from eunoe.domain.agents import PLAIN_TEXT, AgentType
from eunoe.domain.drafts import ModelWish
from eunoe.domain.messages import Json
from eunoe.domain.models import GLOBAL_CONTEXT_CAP, ModelConfig
from eunoe.errors import Invalid

THINKING_BUDGET: Final = 1_024
"""Tokens a model may think for once reasoning is on and nothing was said (agent 10.2)."""

_OPENAI_REASONER: Final = re.compile(r"^(o1|o3|o4|gpt-5)")
_ANTHROPIC_REASONER: Final = re.compile(r"3-7|(sonnet|opus|haiku)-4|claude-4|4-(sonnet|opus)")
_ADAPTIVE: Final = re.compile(r"4[-.]6")
_GOOGLE_ALWAYS: Final = re.compile(r"gemini-(2\.5-pro|3)")
_GOOGLE: Final = frozenset({"google_ai", "google_vertex"})
_SINGLE: Final = (
    "context_window", "max_output_tokens", "max_reasoning_tokens", "enable_reasoner",
    "reasoning_effort", "temperature", "strict", "response_format",
)  # fmt: skip
_SWITCHED: Final = frozenset({"zai", "zai_coding", "openrouter", "baseten"})


def wished(config: ModelConfig, wish: ModelWish, *, agent_type: AgentType) -> ModelConfig:
    """Return `config`, as its provider lists it, with all that the caller asked for (api 6.6).

    Raises `Invalid` where the tokens for reasoning outnumber those for the answer.
    """
    config = replace(
        config, context_window=wish.context_window or min(config.context_window, GLOBAL_CONTEXT_CAP)
    )
    config = adjusted(config, wish)
    _check_budget(config)
    wanted = config.enable_reasoner if wish.reasoning is None else wish.reasoning
    config = with_reasoning(config, on=wanted)
    return with_inner_thoughts(config, wish, agent_type=agent_type)


def with_inner_thoughts(
    config: ModelConfig, wish: ModelWish, *, agent_type: AgentType
) -> ModelConfig:
    """Return `config` with thoughts as an argument where its model and loop want them (R5, R6).

    A model that reasons by itself needs no such argument, but for Gemini, which gets it too;
    `reasoning` false takes it from the others. Who speaks does not think first.
    """
    if agent_type in PLAIN_TEXT or agent_type == "voice_convo_agent":
        wanted = False
    elif wish.inner_thoughts is not None:
        wanted = wish.inner_thoughts
    elif _reasons(config):
        wanted = config.enable_reasoner and config.provider_type in _GOOGLE
    else:
        wanted = wish.reasoning is not False
    return replace(config, put_inner_thoughts_in_kwargs=wanted)


def adjusted(config: ModelConfig, wish: ModelWish) -> ModelConfig:
    """Return `config` with the single values the caller gave, then his settings, laid over it.

    Raises `Invalid` for an effort that the model refuses (R4).
    """
    given: dict[str, Any] = {name: getattr(wish, name) for name in _SINGLE}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if wish.settings is not None:
        config = with_settings(config, wish.settings)
    if wish.parallel_tool_calls is not None:
        config = replace(config, parallel_tool_calls=wish.parallel_tool_calls)
    if config.reasoning_effort == "minimal" and "codex" in config.model.lower():
        raise Invalid(
            f"The model {config.model} knows no reasoning_effort minimal; take low or more."
        )
    return config


def with_settings(config: ModelConfig, sent: Json) -> ModelConfig:
    """Return `config` with the settings that were sent; the others keep their values (R9)."""
    sent = {name: value for name, value in sent.items() if value is not None}
    changes: dict[str, Any] = {
        name: sent[name]
        for name in ("max_output_tokens", "temperature", "parallel_tool_calls", "strict")
        if name in sent
    }
    changes |= _reasoning_of(sent)
    for name in ("response_format", "response_schema"):
        if name in sent:
            changes["response_format"] = sent[name]
    return replace(config, settings={**config.settings, **sent}, **changes)


def _reasoning_of(sent: Json) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    reasoning = _object(sent, "reasoning")
    if reasoning.get("reasoning_effort") is not None:
        changes["reasoning_effort"] = reasoning["reasoning_effort"]
    for name, switch, budget in (
        ("thinking", "type", "budget_tokens"),
        ("thinking_config", "include_thoughts", "thinking_budget"),
    ):
        thinking = _object(sent, name)
        if switch in thinking:
            changes["enable_reasoner"] = thinking[switch] in {True, "enabled"}
        if thinking.get(budget) is not None:
            changes["max_reasoning_tokens"] = thinking[budget]
    return changes


def _object(sent: Json, name: str) -> Mapping[str, Any]:
    value: object = sent.get(name)
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def with_reasoning(config: ModelConfig, *, on: bool) -> ModelConfig:
    """Return `config` with the reasoning flag applied as far as its model obeys it (R5)."""
    name = config.model.lower()
    match config.provider_type:
        case "openai" | "azure" | "chatgpt_oauth" if _OPENAI_REASONER.search(name):
            effort = config.reasoning_effort if on else _least_effort(name)
            return replace(config, enable_reasoner=True, reasoning_effort=effort)
        case "anthropic" | "bedrock" if _ANTHROPIC_REASONER.search(name):
            return _budgeted(config, on=on, budget=0 if _ADAPTIVE.search(name) else THINKING_BUDGET)
        case "google_ai" | "google_vertex" if _GOOGLE_ALWAYS.search(name):
            return replace(config, enable_reasoner=True)
        case "google_ai" | "google_vertex" if "2.5-flash" in name:
            return _budgeted(config, on=on, budget=THINKING_BUDGET)
        case provider if provider in _SWITCHED:
            return replace(config, enable_reasoner=on)
        case _:
            return replace(config, enable_reasoner=False)


def _reasons(config: ModelConfig) -> bool:
    """Whether the model is one that `with_reasoning` can have reason by itself."""
    return with_reasoning(config, on=True).enable_reasoner


def _least_effort(model: str) -> str:
    if re.match(r"gpt-5\.[1-4]", model):
        return "none"
    if model.startswith("gpt-5") and "codex" not in model:
        return "minimal"
    return "medium"


def _budgeted(config: ModelConfig, *, on: bool, budget: int) -> ModelConfig:
    if not on:
        return replace(config, enable_reasoner=False, max_reasoning_tokens=0)
    return replace(
        config, enable_reasoner=True, max_reasoning_tokens=config.max_reasoning_tokens or budget
    )


def _check_budget(config: ModelConfig) -> None:
    """Refuse a budget that was asked for; the usual one is made to fit by the request (R7)."""
    ceiling = config.max_output_tokens
    if ceiling is not None and config.max_reasoning_tokens > ceiling:
        raise Invalid(
            f"max_reasoning_tokens is {config.max_reasoning_tokens} and max_tokens {ceiling}; "
            "the reasoning is part of the reply, so make it smaller or the other larger."
        )
