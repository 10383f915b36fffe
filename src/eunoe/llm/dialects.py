"""Where OpenAI-compatible providers differ from each other, as one table (P12-P18)."""

import re
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

Replay: TypeAlias = Literal["reasoning_content", "reasoning"]
EffortField: TypeAlias = Literal["reasoning_effort", "reasoning", "thinking"]

_REASONER: Final = re.compile(r"^(o1|o3|o4|gpt-5)")
_ONLY_RESPONSES: Final = re.compile(r"codex|^o\d-pro|^gpt-5[.\d]*-pro")
_MLX: Final = re.compile(r"mlx", re.IGNORECASE)
_LONG_CACHE: Final = re.compile(r"^gpt-(4\.1|5(?!-mini))")
_FAST: Final = "-fast"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a provider understands.

    `named_choice`, `required_choice`: which forms of `tool_choice`. `keeps_tools`: a named choice
    alone makes its models call the tool, so that the others stay on offer and the prefix that the
    provider caches stays the same. `empty_text`: what stands for no text. `replay`: the field that
    takes earlier reasoning back. `effort`: the field that says how much to reason. `clears`: it is
    also told whether to forget earlier reasoning. `short_ids`: call ids of exactly nine letters
    and digits (FIX-72). `images`: some of its models see. `stops`: sequences at which GLM's models
    must end. `extra`: what every request says.
    `text_calls`: its models may write a call as text, so that calls are looked for there.
    """

    named_choice: bool = True
    required_choice: bool = True
    keeps_tools: bool = False
    strict: bool = True
    stream_usage: bool = True
    user: bool = True
    images: bool = True
    empty_text: str | None = ""
    replay: Replay | None = "reasoning_content"
    effort: EffortField | None = "reasoning_effort"
    clears: bool = False
    short_ids: bool = False
    openai_reasoners: bool = False
    stops: tuple[str, ...] = ()
    extra: dict[str, Any] = field(default_factory=dict[str, Any])
    text_calls: bool = True


_PLAIN: Final = Dialect()
# Both ends of a turn in GLM's template, which a host that serves the bare model does not know.
_GLM_STOPS: Final = ("<|user|>", "<|observation|>")
_ZAI: Final = Dialect(empty_text=".", replay=None, effort="thinking", clears=True, strict=False)
_HOSTED: Final = Dialect(empty_text=".", replay=None, effort="thinking", stops=_GLM_STOPS)
_GENUINE: Final = Dialect(
    openai_reasoners=True, keeps_tools=True, replay=None, empty_text=None, text_calls=False
)
_VLLM: Final = Dialect(required_choice=False)
_UNNAMED: Final = Dialect(named_choice=False)

_DIALECTS: Final[dict[str, Dialect]] = {
    "openai": Dialect(openai_reasoners=True),
    "azure": _GENUINE,
    "vllm": _VLLM,
    "ollama": _UNNAMED,
    "lmstudio_openai": _UNNAMED,
    "openrouter": Dialect(named_choice=False, replay="reasoning", effort="reasoning"),
    "groq": Dialect(named_choice=False, replay=None, effort=None, extra={"logprobs": False}),
    "deepseek": Dialect(strict=False, effort=None, images=False),
    "zai": _ZAI,
    "zai_coding": _ZAI,
    "fireworks": _HOSTED,
    "baseten": _HOSTED,
    "mistral": Dialect(
        short_ids=True, stream_usage=False, user=False, replay=None, effort=None, strict=False
    ),
    "cerebras": Dialect(replay=None, effort=None, images=False),
}
_BY_NAME: Final[dict[str, Dialect]] = {"llamacpp": Dialect(named_choice=False)}
"""Servers without a type of their own, by the name that their variables give them."""

_NEBIUS: Final = Dialect(strict=False, required_choice=False)


def dialect_of(
    provider_type: str, *, base_url: str, model: str, provider_name: str = ""
) -> Dialect:
    """Return the dialect; an unknown provider speaks plain chat completions (P3)."""
    if is_genuine(provider_type, base_url=base_url):
        return _GENUINE
    if "nebius" in base_url:
        return _NEBIUS
    if _MLX.search(model):
        return _VLLM
    return _BY_NAME.get(provider_name) or _DIALECTS.get(provider_type, _PLAIN)


def is_genuine(provider_type: str, *, base_url: str) -> bool:
    """Return whether this is OpenAI itself rather than something that speaks like it."""
    return provider_type == "openai" and base_url.startswith("https://api.openai.com/")


def is_openai_reasoner(model: str) -> bool:
    """Return whether the model takes OpenAI's rules for reasoning models (P13)."""
    return bool(_REASONER.match(model.rsplit("/", 1)[-1].lower()))


def speaks_responses_only(model: str) -> bool:
    """Return whether OpenAI serves the model through Responses alone."""
    return bool(_ONLY_RESPONSES.search(model.lower()))


def genuine_extras(model: str) -> dict[str, str]:
    """Return what OpenAI itself is told besides, by the model's name (P15)."""
    extras: dict[str, str] = {}
    if model.endswith(_FAST):
        extras |= {"model": model.removesuffix(_FAST), "service_tier": "priority"}
    if _LONG_CACHE.match(model):
        extras["prompt_cache_retention"] = "24h"
    return extras
