"""Providers that callers brought, on the wire (api 18)."""

from dataclasses import asdict
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, ConfigDict, Field, SecretStr
from typing_extensions import TypedDict

from eunoe.domain import providers
from eunoe.domain.providers import ProviderDraft, ProviderPatch
from eunoe.errors import ProviderInvalid
from eunoe.wire.shape import Shape, shown_as

ProviderType: TypeAlias = Literal[
    "anthropic", "azure", "baseten", "bedrock", "cerebras", "chatgpt_oauth", "deepseek",
    "fireworks", "google_ai", "google_vertex", "groq", "hugging-face", "letta", "lmstudio_openai",
    "minimax", "mistral", "ollama", "openai", "together", "vllm", "sglang", "openrouter", "xai",
    "zai", "zai_coding",
]  # fmt: skip


def _trimmed(text: str | None) -> str | None:
    """Return the text without spaces around it; an empty one is none (18.3)."""
    return (text or "").strip() or None


Text: TypeAlias = Annotated[str | None, AfterValidator(_trimmed)]


class _Body(Shape):
    api_key: SecretStr
    access_key: SecretStr | None = None
    base_url: Text = None
    region: Text = None
    api_version: Text = None

    def patch(self) -> ProviderPatch:
        """Return the keys, trimmed, and where to go; raise `ProviderInvalid` without one (18.6)."""
        key = _sendable(self.api_key, "api_key")
        if key is None:
            raise ProviderInvalid("`api_key` is empty; send the provider's key.")
        access = self.access_key
        access_key = None if access is None else _sendable(access, "access_key")
        return self.made(ProviderPatch, api_key=key, access_key=access_key)


def _sendable(secret: SecretStr, name: str) -> str | None:
    """Return a key, trimmed; raise `ProviderInvalid` for one that no header can hold."""
    key = _trimmed(secret.get_secret_value())
    if key is not None and not (key.isascii() and key.isprintable()):
        raise ProviderInvalid(f"`{name}` is no key: it has characters that no header can hold.")
    return key


class CreateProviderBody(_Body):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^/\s]+$")]
    provider_type: ProviderType

    def draft(self) -> ProviderDraft:
        return ProviderDraft(
            name=self.name, provider_type=self.provider_type, **asdict(self.patch())
        )


class CheckProviderBody(_Body):
    provider_type: ProviderType

    def draft(self) -> ProviderDraft:
        """Return a provider that is named after its type, as it is not stored."""
        return ProviderDraft(
            name=self.provider_type, provider_type=self.provider_type, **asdict(self.patch())
        )


class UpdateProviderBody(_Body):
    model_config = ConfigDict(extra="forbid")


class Provider(TypedDict):
    id: str
    name: str
    provider_type: str
    provider_category: Literal["byok"]
    base_url: str | None
    region: str | None
    api_version: str | None
    organization_id: str
    updated_at: str
    last_synced: str | None
    api_key: None
    access_key: None
    api_key_enc: None
    access_key_enc: None


def provider(one: providers.Provider) -> Provider:
    """Return a provider; its keys never leave the server (18.1)."""
    keys = dict.fromkeys(("api_key", "access_key", "api_key_enc", "access_key_enc"))
    return shown_as(Provider, one, provider_category="byok", **keys)
