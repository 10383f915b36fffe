"""The settings of a `ModelRequest` in the names of pydantic-ai (P15, P23-P26, P31, P33, R11)."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.models import ModelConfig
from eunoe.engine.ports import ModelRequest
from eunoe.llm.dialects import genuine_extras
from eunoe.llm.vendor import Wire

Profile: TypeAlias = Mapping[str, object]

_MIN_BUDGET: Final = 1_024
_MIN_GOOGLE_PRO_BUDGET: Final = 128
_DEFAULT_MAX_TOKENS: Final = 4_096
_LONG_WINDOW: Final = 200_000
_USUAL_EFFORT: Final = "medium"
_ADAPTIVE: Final = re.compile(r"4[-.][6-9]|(opus|sonnet|haiku|fable|mythos)-[5-9]")
_HAS_EFFORT: Final = re.compile(
    r"opus-4[-.][5-9]|sonnet-4[-.][6-9]|(opus|sonnet|fable|mythos)-[5-9]"
)
_INTERLEAVES: Final = re.compile(r"(opus|sonnet|haiku)-4")
_LONG_CONTEXT: Final = re.compile(r"sonnet-4(-0|-5|-2025)?")


def model_name(config: ModelConfig) -> str:
    """Return the name that the vendor knows; `-fast` is ours and asks for a faster tier (P15)."""
    is_openai = config.provider_type == "openai"
    return config.model.removesuffix("-fast") if is_openai else config.model


def vendor_settings(
    request: ModelRequest, *, wire: Wire, silence_s: float, profile: Profile
) -> Json:
    """Return the settings of the request; `profile` is what the library knows of the model."""
    settings = _common(request, wire=wire, silence_s=silence_s)
    match wire:
        case "anthropic":
            settings |= _anthropic(request, settings)
        case "google":
            settings |= _google(request.config)
        case "bedrock":
            settings |= _bedrock(request, settings)
        case "responses":
            settings |= _responses(request)
    if profile.get("anthropic_disallows_sampling_settings"):
        settings.pop("temperature", None)
    return settings


def _common(request: ModelRequest, *, wire: Wire, silence_s: float) -> Json:
    config = request.config
    settings: Json = {"framing_announcement": "never"}
    if wire != "bedrock":
        # Amazon's client has both from its making, and takes neither from a request.
        settings |= {"timeout": silence_s, "max_retries": 0}
    if config.max_output_tokens:
        settings["max_tokens"] = config.max_output_tokens
    if config.temperature is not None and wire != "responses":
        settings["temperature"] = config.temperature
    if request.tools:
        settings["tool_choice"] = _choice(request)
        if wire in {"anthropic", "responses"}:
            settings["parallel_tool_calls"] = request.parallel
    return settings


def _choice(request: ModelRequest) -> str | list[str]:
    forced = request.choice.name
    return request.choice.mode if forced is None else [forced]


def thinking(request: ModelRequest) -> Json | None:
    """Return Anthropic's thinking parameter; a forced call and thinking exclude each other."""
    config = request.config
    if not config.enable_reasoner or request.choice.name is not None:
        return None
    if _ADAPTIVE.search(config.model):
        return {"type": "adaptive"}
    if config.max_reasoning_tokens <= 0:
        return None
    return {"type": "enabled", "budget_tokens": max(_MIN_BUDGET, config.max_reasoning_tokens)}


def prefills(request: ModelRequest, *, wire: Wire) -> bool:
    """Return whether the reply is opened with a tag for thoughts (P22).

    Not for the largest models, which think aloud unasked, nor for those that refuse an opening.
    """
    model = request.config.model
    return (
        wire == "anthropic"
        and request.words_of_thought
        and thinking(request) is None
        and "opus" not in model
        and not _ADAPTIVE.search(model)
    )


def _anthropic(request: ModelRequest, settings: Json) -> Json:
    config = request.config
    own: Json = {
        "anthropic_cache_instructions": True,
        "anthropic_cache_tool_definitions": True,
        "anthropic_cache_messages": True,
    }
    if request.user is not None:
        own["anthropic_metadata"] = {"user_id": request.user}
    if config.provider_type == "anthropic":
        own |= _betas(request)
        if _HAS_EFFORT.search(config.model):
            own["anthropic_effort"] = config.settings.get("effort") or _USUAL_EFFORT
    thought = thinking(request)
    if thought is None:
        # Of a model that thinks unless told otherwise, this makes one that does not (FIX-53).
        off: Json = {} if config.enable_reasoner else {"thinking": False}
        return own | off | {"max_tokens": settings.get("max_tokens", _DEFAULT_MAX_TOKENS)}
    return own | {"anthropic_thinking": thought} | _while_thinking(thought, settings)


def _while_thinking(thought: Json, settings: Json) -> Json:
    """Return what changes with thinking on: room for it, a free choice, one temperature (P23)."""
    limit = settings.get("max_tokens", _DEFAULT_MAX_TOKENS)
    budget = thought.get("budget_tokens", 0)
    changed: Json = {"temperature": 1.0}
    changed["max_tokens"] = budget + limit if budget >= limit else limit
    if settings.get("tool_choice") == "required":
        changed["tool_choice"] = "auto"
    return changed


def _betas(request: ModelRequest) -> Json:
    """Return the features to be switched on, only those that the request uses (P26)."""
    config, thought = request.config, thinking(request) or {}
    betas: list[str] = []
    if thought.get("type") == "enabled" and request.tools and _INTERLEAVES.search(config.model):
        betas.append("interleaved-thinking-2025-05-14")
    if config.context_window > _LONG_WINDOW and _LONG_CONTEXT.search(config.model):
        betas.append("context-1m-2025-08-07")
    return {"anthropic_betas": betas} if betas else {}


def _bedrock(request: ModelRequest, settings: Json) -> Json:
    own: Json = {
        "bedrock_cache_instructions": True,
        "bedrock_cache_tool_definitions": True,
        "bedrock_cache_messages": True,
    }
    thought = thinking(request)
    if thought is None or "claude" not in request.config.model:
        return own
    own["bedrock_additional_model_requests_fields"] = {"thinking": thought}
    return own | _while_thinking(thought, settings)


def _google(config: ModelConfig) -> Json:
    if not config.enable_reasoner:
        return {"thinking": False}
    thought: Json = {"include_thoughts": True}
    if config.max_reasoning_tokens and "gemini-3" not in config.model:
        least = _MIN_GOOGLE_PRO_BUDGET if "2.5-pro" in config.model else 0
        thought["thinking_budget"] = max(least, config.max_reasoning_tokens)
    return {"google_thinking_config": thought}


def _responses(request: ModelRequest) -> Json:
    """Keep nothing at the provider, so that all it must know comes with each request (R11)."""
    config = request.config
    own: Json = {"openai_store": False, "openai_reasoning_summary": "detailed"}
    if config.reasoning_effort and config.reasoning_effort != "none":
        own["openai_reasoning_effort"] = config.reasoning_effort
    if config.settings.get("verbosity"):
        own["openai_text_verbosity"] = config.settings["verbosity"]
    if request.user is not None:
        own["openai_user"] = request.user
    extras = genuine_extras(config.model)
    return own | {f"openai_{name}": value for name, value in extras.items() if name != "model"}
