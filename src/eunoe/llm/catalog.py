"""What is known of well-known models where their endpoint does not say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

V = TypeVar("V")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownModel:
    """Tokens a model takes and, at most, gives."""

    context_window: int
    max_output_tokens: int | None = None


def _of(context_window: int, max_output_tokens: int | None = None) -> KnownModel:
    return KnownModel(context_window=context_window, max_output_tokens=max_output_tokens)


# By the beginning of the name, the path before it left out; the longest beginning wins.
_MODELS: Final[dict[str, KnownModel]] = {
    "chatgpt-4o": _of(128_000, 16_384),
    "claude-": _of(200_000, 8_192),
    "claude-3": _of(200_000, 4_096),
    "claude-3-5": _of(200_000, 8_192),
    "claude-3-7": _of(200_000, 64_000),
    "claude-haiku-4": _of(200_000, 64_000),
    "claude-opus-4": _of(200_000, 32_000),
    "claude-opus-4-5": _of(200_000, 64_000),
    "claude-opus-4-6": _of(200_000, 128_000),
    "claude-sonnet-4": _of(200_000, 64_000),
    "codestral": _of(256_000),
    "command-r": _of(128_000, 4_096),
    "deepseek-chat": _of(128_000, 8_192),
    "deepseek-reasoner": _of(128_000, 64_000),
    "deepseek-": _of(128_000),
    "gemini-": _of(1_048_576, 8_192),
    "gemini-2.5": _of(1_048_576, 65_536),
    "gemini-3": _of(1_048_576, 65_536),
    "gemma-3": _of(131_072),
    "glm-4.5": _of(131_072),
    "glm-4.6": _of(200_000),
    "gpt-3.5-turbo": _of(16_385, 4_096),
    "gpt-4": _of(8_192, 8_192),
    "gpt-4-turbo": _of(128_000, 4_096),
    "gpt-4.1": _of(1_047_576, 32_768),
    "gpt-4o": _of(128_000, 16_384),
    "gpt-5": _of(400_000, 128_000),
    "gpt-5-chat": _of(128_000, 16_384),
    "gpt-oss": _of(131_072),
    "grok-3": _of(131_072),
    "grok-4": _of(256_000),
    "kimi-k2": _of(131_072),
    "llama-3": _of(8_192),
    "llama-3.1": _of(131_072),
    "llama-3.2": _of(131_072),
    "llama-3.3": _of(131_072),
    "llama-4": _of(131_072),
    "minimax-m": _of(204_800),
    "ministral": _of(131_072),
    "mistral-large": _of(131_072),
    "mistral-medium": _of(131_072),
    "mistral-small": _of(131_072),
    "o1": _of(200_000, 100_000),
    "o1-mini": _of(128_000, 65_536),
    "o3": _of(200_000, 100_000),
    "o4": _of(200_000, 100_000),
    "qwen2.5": _of(32_768),
    "qwen3": _of(40_960),
}

_USUAL_OUTPUT: Final[dict[str, int]] = {
    "gpt-4.1": 8_192,
    "gpt-5": 16_384,
    "gpt-5.2": 128_000,
    "gpt-5.3": 128_000,
}

_DIMENSIONS: Final[dict[str, int]] = {
    "all-minilm": 384,
    "bge-base": 768,
    "bge-large": 1_024,
    "bge-m3": 1_024,
    "bge-small": 384,
    "embedding-001": 768,
    "gemini-embedding": 3_072,
    "mistral-embed": 1_024,
    "multilingual-e5-large": 1_024,
    "mxbai-embed-large": 1_024,
    "nomic-embed-text": 768,
    "text-embedding-3-large": 3_072,
    "text-embedding-3-small": 1_536,
    "text-embedding-004": 768,
    "text-embedding-ada-002": 1_536,
    "text-embedding-nomic": 768,
}

_NOT_FOR_CHAT: Final = (
    "audio", "babbage", "computer-use", "dall-e", "davinci", "guard", "image", "imagen",
    "moderation", "ocr", "realtime", "rerank", "sora", "speech", "transcribe", "tts", "veo-",
    "whisper",
)  # fmt: skip


def _plain(model: str) -> str:
    return model.rsplit("/", 1)[-1].lower()


def _known(table: Mapping[str, V], model: str) -> V | None:
    """Return what stands at the longest beginning of the model's name."""
    begins = [prefix for prefix in table if _plain(model).startswith(prefix)]
    return table[max(begins, key=len)] if begins else None


def known_model(model: str) -> KnownModel | None:
    """Return what is known of the model named `model`, or of its family."""
    return _known(_MODELS, model)


def usual_output_tokens(model: str) -> int | None:
    """Return how long a reply may be where nobody says it (agent 10.2); None leaves it open.

    Not the most that the model gives: what is set aside for the reply the prompt cannot have.
    """
    return _known(_USUAL_OUTPUT, model)


def known_dimensions(model: str) -> int | None:
    """Return the length of the vectors of an embedding model."""
    return _known(_DIMENSIONS, model)


def embeds(model: str) -> bool:
    """Return whether the name is that of an embedding model."""
    name = _plain(model)
    return "embed" in name or known_dimensions(name) is not None


def chats(model: str) -> bool:
    """Return whether the name may be that of a model to talk to."""
    name = _plain(model)
    return not embeds(name) and not any(word in name for word in _NOT_FOR_CHAT)
