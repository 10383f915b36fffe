"""Which providers there are, where they live, and how an operator names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import urlsplit

from eunoe.domain.models import Category, EmbeddingListing, ModelListing
from eunoe.errors import SettingInvalid
from eunoe.llm.reach import Reach

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
_AT_ONCE: Final = frozenset({"api_key", "base_url"})
"""What makes a provider exist that needs nothing in particular."""
_LOCAL: Final = frozenset({"ollama", "vllm", "sglang", "lmstudio_openai"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderConfig:
    """One provider. `name` begins its handles; `category` is `byok` where a caller made it.

    `reach` is how far requests to such a one may go; null asks wherever the operator says.
    """

    name: str
    provider_type: str
    base_url: str
    api_key: str | None = field(default=None, repr=False)
    access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    region: str | None = None
    project: str | None = None
    api_version: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    category: Category = "base"
    reach: Reach | None = None

    def model(
        self, name: str, *, context_window: int, max_output_tokens: int | None = None
    ) -> ModelListing:
        """Return a model of this provider as it is listed."""
        return ModelListing(
            **self._named(name),
            provider_category=self.category,
            context_window=context_window,
            max_output_tokens=max_output_tokens,
        )

    def embedding(self, name: str, *, dimensions: int) -> EmbeddingListing:
        """Return an embedding model of this provider as it is listed."""
        return EmbeddingListing(**self._named(name), dimensions=dimensions)

    def _named(self, name: str) -> dict[str, Any]:
        return {
            "handle": f"{self.name}/{name}",
            "model": name,
            "provider_type": self.provider_type,
            "provider_name": self.name,
            "endpoint": self.base_url,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The environment variables that make a provider exist: its key or address, or all of `needs`.

    `values` are those of the fields of its `ProviderConfig`, `headers` those of its headers.
    """

    name: str
    provider_type: str
    values: Mapping[str, str]
    needs: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def _of(
    name: str, *, speaks: str | None = None, needs: Sequence[str] = (), **values: str
) -> Variables:
    return Variables(name=name, provider_type=speaks or name, values=values, needs=tuple(needs))


def _hosted(name: str, headers: Mapping[str, str] | None = None) -> Variables:
    """Return the variables of a service that has a key and, behind a proxy, another address."""
    upper = name.upper()
    values = {"api_key": f"{upper}_API_KEY", "base_url": f"{upper}_BASE_URL"}
    return Variables(name=name, provider_type=name, values=values, headers=headers or {})


def _addressed(name: str, key: str, url: str, *, speaks: str | None = None) -> Variables:
    """Return the variables of a server of one's own, which is there once it has an address."""
    return _of(name, speaks=speaks, needs=[url], api_key=key, base_url=url)


VARIABLES: Final = (
    _hosted("openai"),
    _hosted("anthropic"),
    _addressed("ollama", "OLLAMA_API_KEY", "OLLAMA_BASE_URL"),
    _addressed("lmstudio_openai", "LMSTUDIO_API_KEY", "LMSTUDIO_BASE_URL"),
    _addressed("vllm", "VLLM_API_KEY", "VLLM_API_BASE"),
    _addressed("sglang", "SGLANG_API_KEY", "SGLANG_API_BASE"),
    _addressed("llamacpp", "LLAMACPP_API_KEY", "LLAMACPP_BASE_URL", speaks="openai"),
    _of(
        "azure",
        needs=["AZURE_BASE_URL"],
        api_key="AZURE_API_KEY",
        base_url="AZURE_BASE_URL",
        api_version="AZURE_API_VERSION",
    ),
    _of(
        "bedrock",
        api_key="AWS_SECRET_ACCESS_KEY",
        access_key="AWS_ACCESS_KEY_ID",
        session_token="AWS_SESSION_TOKEN",  # noqa: S106 - the name of a variable
        region="AWS_DEFAULT_REGION",
    ),
    _of("google_ai", api_key="GEMINI_API_KEY", base_url="GEMINI_BASE_URL"),
    _of(
        "google_vertex",
        needs=["GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"],
        project="GOOGLE_CLOUD_PROJECT",
        region="GOOGLE_CLOUD_LOCATION",
    ),
    _hosted("baseten"),
    _hosted("cerebras"),
    _hosted("deepseek"),
    _hosted("fireworks"),
    _hosted("groq"),
    _hosted("minimax"),
    _hosted("mistral"),
    _hosted("openrouter", {"http-referer": "OPENROUTER_REFERER", "x-title": "OPENROUTER_TITLE"}),
    _hosted("together"),
    _hosted("xai"),
    _hosted("zai"),
)
"""What `providers_from` reads."""


def variable_names() -> tuple[str, ...]:
    """Return the name of every environment variable that configures a provider."""
    return tuple(name for v in VARIABLES for name in (*v.values.values(), *v.headers.values()))


def providers_from(values: Mapping[str, str]) -> list[ProviderConfig]:
    """Return the providers that the environment `values` configures; an empty value is none."""
    said = {name: text for name, value in values.items() if (text := value.strip())}
    found: list[ProviderConfig] = []
    for one in VARIABLES:
        given = {name: said[variable] for name, variable in one.values.items() if variable in said}
        if not (all(name in said for name in one.needs) if one.needs else _AT_ONCE & given.keys()):
            continue
        try:
            given["base_url"] = base_url(one.provider_type, given.get("base_url"))
            given.get("api_key", "").encode("ascii")
        except ValueError:
            named = " or ".join(one.values.values())
            raise SettingInvalid(f"{named} is no URL, or no key: those are ASCII.") from None
        headers = {
            name: said[variable] for name, variable in one.headers.items() if variable in said
        }
        found.append(
            ProviderConfig(
                name=one.name,
                provider_type=one.provider_type,
                headers=headers,
                **cast("Any", given),
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
    secrets = (provider.api_key, provider.access_key, provider.session_token)
    return tuple(secret for secret in secrets if secret)


def listed_before(provider_types: Sequence[str], provider_type: str) -> int:
    """Return the place of a type in `provider_types`; others come last (17.2)."""
    return provider_types.index(provider_type) if provider_type in provider_types else 999
