"""Which providers there are, where they live, and how an operator names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

Category: TypeAlias = Literal["base", "byok"]
Family: TypeAlias = Literal["chat", "anthropic", "google", "bedrock"]

BASE_URLS: Final[dict[str, str]] = {
    "anthropic": "https://api.anthropic.com/v1",
    "baseten": "https://inference.baseten.co/v1",
    "cerebras": "https://api.cerebras.ai/v1",
    "deepseek": "https://api.deepseek.com/v1",
    "fireworks": "https://api.fireworks.ai/inference/v1",
    "google_ai": "https://generativelanguage.googleapis.com",
    "groq": "https://api.groq.com/openai/v1",
    "minimax": "https://api.minimax.io/anthropic",
    "mistral": "https://api.mistral.ai/v1",
    "openai": "https://api.openai.com/v1",
    "openrouter": "https://openrouter.ai/api/v1",
    "together": "https://api.together.xyz/v1",
    "xai": "https://api.x.ai/v1",
    "zai": "https://api.z.ai/api/paas/v4",
    "zai_coding": "https://api.z.ai/api/coding/paas/v4",
}
"""Where each provider type lives unless the operator says otherwise (P4)."""

PROVIDER_TYPES: Final = (
    "anthropic", "azure", "baseten", "bedrock", "cerebras", "chatgpt_oauth", "deepseek",
    "fireworks", "google_ai", "google_vertex", "groq", "hugging-face", "letta",
    "lmstudio_openai", "minimax", "mistral", "ollama", "openai", "together", "vllm", "sglang",
    "openrouter", "xai", "zai", "zai_coding",
)  # fmt: skip
"""Every type that a caller may name (P1); one that is not here speaks chat completions (P3)."""

LISTING_ORDER: Final = (
    "letta", "openai", "anthropic", "ollama", "google_ai", "google_vertex", "azure", "groq",
    "together", "vllm", "bedrock", "deepseek", "xai", "lmstudio_openai", "zai", "zai_coding",
    "openrouter",
)  # fmt: skip

_FAMILIES: Final[dict[str, Family]] = {
    "anthropic": "anthropic",
    "minimax": "anthropic",
    "bedrock": "bedrock",
    "google_ai": "google",
    "google_vertex": "google",
}
_LOCAL: Final = frozenset({"ollama", "vllm", "sglang", "lmstudio_openai"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """One provider. `name` begins its handles; `category` is `byok` where a caller made it."""

    name: str
    provider_type: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    region: str | None = None
    api_version: str | None = None
    category: Category = "base"


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The environment variables that make a provider exist: its key, or its address."""

    name: str
    provider_type: str
    key: str | None = None
    url: str | None = None
    url_needed: bool = False
    access_key: str | None = None
    region: str | None = None
    api_version: str | None = None


VARIABLES: Final = (
    Variables(name="openai", provider_type="openai", key="OPENAI_API_KEY", url="OPENAI_BASE_URL"),
    Variables(
        name="anthropic",
        provider_type="anthropic",
        key="ANTHROPIC_API_KEY",
        url="ANTHROPIC_BASE_URL",
    ),
    Variables(
        name="ollama",
        provider_type="ollama",
        key="OLLAMA_API_KEY",
        url="OLLAMA_BASE_URL",
        url_needed=True,
    ),
    Variables(
        name="lmstudio_openai",
        provider_type="lmstudio_openai",
        key="LMSTUDIO_API_KEY",
        url="LMSTUDIO_BASE_URL",
        url_needed=True,
    ),
    Variables(
        name="vllm",
        provider_type="vllm",
        key="VLLM_API_KEY",
        url="VLLM_API_BASE",
        url_needed=True,
    ),
    Variables(
        name="sglang",
        provider_type="sglang",
        key="SGLANG_API_KEY",
        url="SGLANG_API_BASE",
        url_needed=True,
    ),
    Variables(
        name="llamacpp",
        provider_type="openai",
        key="LLAMACPP_API_KEY",
        url="LLAMACPP_BASE_URL",
        url_needed=True,
    ),
    Variables(
        name="azure",
        provider_type="azure",
        key="AZURE_API_KEY",
        url="AZURE_BASE_URL",
        url_needed=True,
        api_version="AZURE_API_VERSION",
    ),
    Variables(
        name="bedrock",
        provider_type="bedrock",
        key="AWS_SECRET_ACCESS_KEY",
        access_key="AWS_ACCESS_KEY_ID",
        region="AWS_DEFAULT_REGION",
    ),
    Variables(
        name="google_ai", provider_type="google_ai", key="GEMINI_API_KEY", url="GEMINI_BASE_URL"
    ),
    Variables(name="baseten", provider_type="baseten", key="BASETEN_API_KEY"),
    Variables(name="cerebras", provider_type="cerebras", key="CEREBRAS_API_KEY"),
    Variables(name="deepseek", provider_type="deepseek", key="DEEPSEEK_API_KEY"),
    Variables(name="fireworks", provider_type="fireworks", key="FIREWORKS_API_KEY"),
    Variables(name="groq", provider_type="groq", key="GROQ_API_KEY"),
    Variables(name="minimax", provider_type="minimax", key="MINIMAX_API_KEY"),
    Variables(name="mistral", provider_type="mistral", key="MISTRAL_API_KEY"),
    Variables(name="openrouter", provider_type="openrouter", key="OPENROUTER_API_KEY"),
    Variables(name="together", provider_type="together", key="TOGETHER_API_KEY"),
    Variables(name="xai", provider_type="xai", key="XAI_API_KEY"),
    Variables(name="zai", provider_type="zai", key="ZAI_API_KEY"),
)
"""What `providers_from` reads."""


def variable_names() -> tuple[str, ...]:
    """Return the name of every environment variable that configures a provider."""
    return tuple(
        name
        for v in VARIABLES
        for name in (v.key, v.url, v.access_key, v.region, v.api_version)
        if name is not None
    )


def providers_from(values: Mapping[str, str]) -> list[ProviderConfig]:
    """Return the providers that the environment `values` configures; an empty value is none."""

    def value(name: str | None) -> str | None:
        return (values.get(name) or "").strip() or None if name else None

    found: list[ProviderConfig] = []
    for variables in VARIABLES:
        key, url = value(variables.key), value(variables.url)
        if not url and (variables.url_needed or not key):
            continue
        found.append(
            ProviderConfig(
                name=variables.name,
                provider_type=variables.provider_type,
                base_url=base_url(variables.provider_type, url),
                api_key=key,
                access_key=value(variables.access_key),
                region=value(variables.region),
                api_version=value(variables.api_version),
            )
        )
    return found


def base_url(provider_type: str, given: str | None) -> str:
    """Return where requests go: what was `given`, else the type's own place (P4).

    `/v1` is appended where a local server's address lacks it, and to a bare host that speaks
    OpenAI's wire.
    """
    url = (given or BASE_URLS.get(provider_type, "")).rstrip("/")
    path = urlsplit(url).path
    bare = provider_type == "openai" and not path
    if url and (bare or (provider_type in _LOCAL and not path.endswith("/v1"))):
        return f"{url}/v1"
    return url


def family_of(provider_type: str) -> Family:
    return _FAMILIES.get(provider_type, "chat")


def split_handle(handle: str) -> tuple[str, str]:
    """Return the provider's name and the model; only the first slash separates (17.1)."""
    name, _, model = handle.partition("/")
    return name, model


def secrets_of(provider: ProviderConfig) -> tuple[str, ...]:
    """Return what must never be shown."""
    return tuple(s for s in (provider.api_key, provider.access_key) if s)


def listed_before(provider_types: Sequence[str], provider_type: str) -> int:
    """Return the place of a type in `provider_types`; others come last (17.2)."""
    return provider_types.index(provider_type) if provider_type in provider_types else 999
