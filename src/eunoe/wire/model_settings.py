"""`model_settings`: the public form of how a model is asked, one for each provider type (17.5)."""

from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field

from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.wire.shape import Shape

DEFAULT_TEMPERATURE: Final = 0.7
DEFAULT_OUTPUT_TOKENS: Final = 4_096

# What model_settings hold for each provider type beside the common two (17.5, agent R8).
_CHAT: Final[Json] = {"temperature": DEFAULT_TEMPERATURE, "response_format": None}
_OPENAI: Final[Json] = {
    "temperature": DEFAULT_TEMPERATURE,
    "reasoning": {"reasoning_effort": "high"},
    "response_format": None,
    "strict": True,
}
_THINKING: Final[Json] = {"type": "enabled", "budget_tokens": 1_024}
_ANTHROPIC: Final[Json] = {
    "temperature": 1.0,
    "thinking": _THINKING,
    "response_format": None,
    "verbosity": None,
    "effort": None,
    "strict": False,
}
_GOOGLE: Final[Json] = {
    "temperature": DEFAULT_TEMPERATURE,
    "thinking_config": {"include_thoughts": True, "thinking_budget": 1_024},
    "response_schema": None,
    "max_output_tokens": 65_536,
}
_ZAI: Final[Json] = _CHAT | {"thinking": {"type": "enabled", "clear_thinking": False}}
_SETTINGS: Final[dict[str, Json]] = {
    "openai": _OPENAI,
    "sglang": _OPENAI | {"tool_call_parser": None},
    "anthropic": _ANTHROPIC,
    "moonshot_coding": _ANTHROPIC,
    "google_ai": _GOOGLE,
    "google_vertex": _GOOGLE,
    "moonshot": _CHAT | {"strict": False},
    "zai": _ZAI,
    "baseten": {"temperature": DEFAULT_TEMPERATURE},
    "chatgpt_oauth": {
        "temperature": DEFAULT_TEMPERATURE,
        "reasoning": {"reasoning_effort": "medium"},
    },
    **dict.fromkeys(
        ("azure", "xai", "groq", "deepseek", "together", "bedrock", "openrouter"), _CHAT
    ),
}


class _Reasoning(Shape):
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high", "xhigh"] | None = None


class _Thinking(Shape):
    type: Literal["enabled", "disabled"] | None = None
    budget_tokens: int | None = None
    clear_thinking: bool | None = None


class _ThinkingConfig(Shape):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None


class ResponseFormat(Shape):
    model_config = ConfigDict(extra="allow")

    type: Literal["text", "json_schema", "json_object"]
    json_schema: dict[str, Any] | None = None


def format_of(given: ResponseFormat | None) -> Json | None:
    """Return a format with the fields that the caller sent."""
    return None if given is None else given.model_dump(exclude_unset=True)


class ModelSettingsBody(Shape):
    """`model_settings` of any provider type; an unknown type is refused (api 6.6.2)."""

    provider_type: (
        Literal[
            "openai", "sglang", "anthropic", "google_ai", "google_vertex", "azure", "xai",
            "moonshot", "moonshot_coding", "zai", "groq", "deepseek", "together", "bedrock",
            "baseten", "openrouter", "chatgpt_oauth",
        ]
        | None
    ) = None  # fmt: skip
    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    reasoning: _Reasoning | None = None
    thinking: _Thinking | None = None
    thinking_config: _ThinkingConfig | None = None
    response_format: ResponseFormat | None = None
    response_schema: ResponseFormat | None = None
    strict: bool | None = None
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    tool_call_parser: str | None = None

    def sent(self) -> Json:
        """Return the fields that the caller sent."""
        return self.model_dump(exclude_unset=True, exclude_none=True)


def model_settings(config: ModelConfig) -> Json:
    """Return the settings object of the config's provider type, whole (17.5).

    A provider type without a form of its own speaks OpenAI's dialect and shows that form.
    """
    form = config.provider_type if config.provider_type in _SETTINGS else "openai"
    shown: Json = {
        "provider_type": form,
        "max_output_tokens": DEFAULT_OUTPUT_TOKENS,
        "parallel_tool_calls": config.parallel_tool_calls,
        **_SETTINGS[form],
    }
    stored = {name: value for name, value in config.settings.items() if name in shown}
    shown |= stored | {"provider_type": form}
    if config.max_output_tokens is not None:
        shown["max_output_tokens"] = config.max_output_tokens
    if config.temperature is not None:
        shown["temperature"] = config.temperature
    shown["parallel_tool_calls"] = config.parallel_tool_calls
    if "strict" in shown:
        shown["strict"] = config.strict
    for name in ("response_format", "response_schema"):
        if name in shown:
            shown[name] = config.response_format
    return shown | _reasoning(config, shown)


def _reasoning(config: ModelConfig, shown: Json) -> Json:
    """Return the reasoning part of the settings as the config has it now."""
    switch = "enabled" if config.enable_reasoner else "disabled"
    part: Json = {}
    if "reasoning" in shown and config.reasoning_effort is not None:
        part["reasoning"] = {"reasoning_effort": config.reasoning_effort}
    if "thinking" in shown:
        part["thinking"] = shown["thinking"] | {"type": switch}
        if "budget_tokens" in shown["thinking"] and config.max_reasoning_tokens:
            part["thinking"]["budget_tokens"] = config.max_reasoning_tokens
    if "thinking_config" in shown:
        part["thinking_config"] = shown["thinking_config"] | {
            "include_thoughts": config.enable_reasoner
        }
        if config.max_reasoning_tokens:
            part["thinking_config"]["thinking_budget"] = config.max_reasoning_tokens
    return part


def temperature(config: ModelConfig) -> float:
    """Return the temperature of the config, else the one that its provider type shows."""
    if config.temperature is not None:
        return config.temperature
    settings = _SETTINGS.get(config.provider_type, _OPENAI)
    shown: float = settings["temperature"]
    return shown
