"""Where OpenAI-compatible providers differ from each other (P12-P17)."""

import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Replay: TypeAlias = Literal["reasoning_content", "reasoning"]
EffortField: TypeAlias = Literal["reasoning_effort", "reasoning", "thinking"]

_REASONER: Final = re.compile(r"^(o1|o3|o4|gpt-5)")
_MLX: Final = re.compile(r"mlx", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """What a provider understands.

    `named_choice`, `required_choice`: which forms of `tool_choice`. `empty_text`: what stands for
    no text. `replay`: the field that takes earlier reasoning back. `effort`: the field that says
    how much to reason. `short_ids`: call ids of exactly nine letters and digits (FIX-72).
    """

    named_choice: bool = True
    required_choice: bool = True
    strict: bool = True
    stream_usage: bool = True
    user: bool = True
    empty_text: str | None = ""
    replay: Replay | None = "reasoning_content"
    effort: EffortField | None = "reasoning_effort"
    short_ids: bool = False
    openai_reasoners: bool = False


_PLAIN: Final = Dialect()
_ZAI: Final = Dialect(empty_text=".", replay=None, effort="thinking", strict=False)
_OPENAI: Final = Dialect(openai_reasoners=True)
_VLLM: Final = Dialect(required_choice=False)

_DIALECTS: Final[dict[str, Dialect]] = {
    "openai": _OPENAI,
    "azure": Dialect(openai_reasoners=True, replay=None, empty_text=None),
    "vllm": _VLLM,
    "openrouter": Dialect(named_choice=False, replay="reasoning", effort="reasoning"),
    "groq": Dialect(named_choice=False, replay=None, effort=None),
    "deepseek": Dialect(strict=False, effort=None),
    "zai": _ZAI,
    "zai_coding": _ZAI,
    "fireworks": Dialect(empty_text=".", replay=None, effort=None),
    "baseten": Dialect(empty_text=".", replay=None, effort=None),
    "mistral": Dialect(
        short_ids=True, stream_usage=False, user=False, replay=None, effort=None, strict=False
    ),
    "cerebras": Dialect(replay=None, effort=None),
}

_GENUINE: Final = Dialect(openai_reasoners=True, replay=None, empty_text=None)
_NEBIUS: Final = Dialect(strict=False, required_choice=False)


def dialect_of(provider_type: str, *, base_url: str, model: str) -> Dialect:
    """Return the dialect; an unknown provider speaks plain chat completions (P3)."""
    if is_genuine(provider_type, base_url=base_url):
        return _GENUINE
    if "nebius" in base_url:
        return _NEBIUS
    if _MLX.search(model):
        return _VLLM
    return _DIALECTS.get(provider_type, _PLAIN)


def is_genuine(provider_type: str, *, base_url: str) -> bool:
    """Return whether this is OpenAI itself rather than something that speaks like it."""
    return provider_type == "openai" and base_url.startswith("https://api.openai.com/")


def is_openai_reasoner(model: str) -> bool:
    """Return whether the model takes OpenAI's rules for reasoning models (P13)."""
    return bool(_REASONER.match(model.rsplit("/", 1)[-1].lower()))
