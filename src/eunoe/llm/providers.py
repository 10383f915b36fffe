"""Which providers there are, where they live, and how an operator names them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

from eunoe.domain.models import Category, EmbeddingListing, ModelListing
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
    """The environment variables that make a provider exist: its key, or what `needs` names.

    `headers` are pairs of a variable and the header that its value goes into.
    """

    name: str
    provider_type: str
    key: str | None = None
    url: str | None = None
    needs: tuple[str, ...] = ()
    access_key: str | None = None
    session: str | None = None
    region: str | None = None
    project: str | None = None
    api_version: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def _hosted(name: str, *, headers: tuple[tuple[str, str], ...] = ()) -> Variables:
    """Return the variables of a service that has a key and, behind a proxy, another address."""
    upper = name.upper()
    return Variables(
        name=name,
        provider_type=name,
        key=f"{upper}_API_KEY",
        url=f"{upper}_BASE_URL",
        headers=headers,
    )


def _addressed(name: str, key: str, url: str, *, speaks: str | None = None) -> Variables:
    """Return the variables of a server of one's own, which is there once it has an address."""
    return Variables(name=name, provider_type=speaks or name, key=key, url=url, needs=(url,))


VARIABLES: Final = (
    _hosted("openai"),
    _hosted("anthropic"),
    _addressed("ollama", "OLLAMA_API_KEY", "OLLAMA_BASE_URL"),
    _addressed("lmstudio_openai", "LMSTUDIO_API_KEY", "LMSTUDIO_BASE_URL"),
    _addressed("vllm", "VLLM_API_KEY", "VLLM_API_BASE"),
    _addressed("sglang", "SGLANG_API_KEY", "SGLANG_API_BASE"),
    _addressed("llamacpp", "LLAMACPP_API_KEY", "LLAMACPP_BASE_URL", speaks="openai"),
    Variables(
        name="azure",
        provider_type="azure",
        key="AZURE_API_KEY",
        url="AZURE_BASE_URL",
        needs=("AZURE_BASE_URL",),
        api_version="AZURE_API_VERSION",
    ),
    Variables(
        name="bedrock",
        provider_type="bedrock",
        key="AWS_SECRET_ACCESS_KEY",
        access_key="AWS_ACCESS_KEY_ID",
        session="AWS_SESSION_TOKEN",
        region="AWS_DEFAULT_REGION",
    ),
    Variables(
        name="google_ai", provider_type="google_ai", key="GEMINI_API_KEY", url="GEMINI_BASE_URL"
    ),
    Variables(
        name="google_vertex",
        provider_type="google_vertex",
        needs=("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"),
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
    _hosted(
        "openrouter",
        headers=(("OPENROUTER_REFERER", "http-referer"), ("OPENROUTER_TITLE", "x-title")),
    ),
    _hosted("together"),
    _hosted("xai"),
    _hosted("zai"),
)
"""What `providers_from` reads."""


def variable_names() -> tuple[str, ...]:
    """Return the name of every environment variable that configures a provider."""
    return tuple(
        name
        for v in VARIABLES
        for name in (
            v.key,
            v.url,
            v.access_key,
            v.session,
            v.project,
            v.region,
            v.api_version,
            *(variable for variable, _ in v.headers),
        )
        if name is not None
    )


def providers_from(values: Mapping[str, str]) -> list[ProviderConfig]:
    """Return the providers that the environment `values` configures; an empty value is none."""

    def value(name: str | None) -> str | None:
        return (values.get(name) or "").strip() or None if name else None

    found: list[ProviderConfig] = []
    for variables in VARIABLES:
        key, url = value(variables.key), value(variables.url)
        if not (all(map(value, variables.needs)) if variables.needs else url or key):
            continue
        found.append(
            ProviderConfig(
                name=variables.name,
                provider_type=variables.provider_type,
                base_url=base_url(variables.provider_type, url),
                api_key=key,
                access_key=value(variables.access_key),
                session_token=value(variables.session),
                region=value(variables.region),
                project=value(variables.project),
                api_version=value(variables.api_version),
                headers={
                    header: given
                    for variable, header in variables.headers
                    if (given := value(variable)) is not None
                },
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
