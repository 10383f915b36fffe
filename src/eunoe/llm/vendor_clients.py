"""The clients of the vendors' libraries, each made once and told not to retry by itself.

Each library takes a second or more to load, so that only the one that is asked for is.
"""

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from pydantic_ai.models import Model as VendorLibrary

from eunoe.errors import BedrockExtraMissing, ModelKeyRefused
from eunoe.llm.connection import Timeouts
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.vendor import Wire
from eunoe.llm.vendor_capture import Catch, hooked, transport

Library: TypeAlias = Callable[[str], VendorLibrary]
Close: TypeAlias = Callable[[], Awaitable[None]]
Connected: TypeAlias = tuple[Library, Close]


def connected(
    provider: ProviderConfig, *, wire: Wire, timeouts: Timeouts, catch: Catch | None = None
) -> Connected:
    """Return what makes the library's model of a name, and what closes its client.

    With `catch` nothing goes over the network.
    """
    match wire:
        case "anthropic":
            return _anthropic(provider, timeouts, catch)
        case "google":
            return _google(provider, timeouts, catch)
        case "responses":
            return _responses(provider, timeouts, catch)
        case "bedrock":
            return _bedrock(provider, timeouts, catch)


def _anthropic(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Connected:
    from anthropic import AsyncAnthropic  # noqa: PLC0415 - slow to load
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415 - slow to load
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415 - slow to load

    client = AsyncAnthropic(
        http_client=_own(provider, timeouts, catch),
        api_key=provider.api_key or "none",
        # The library appends the version itself.
        base_url=provider.base_url.removesuffix("/v1"),
        max_retries=0,
        timeout=timeouts.total_s,
    )
    vendor = AnthropicProvider(anthropic_client=client)
    return lambda name: AnthropicModel(name, provider=vendor), client.close


def _google(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Connected:
    from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415 - slow to load
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415 - slow to load
    from pydantic_ai.providers.google_cloud import GoogleCloudProvider  # noqa: PLC0415 - slow to load

    # Google's library leaves a client of its own open, so it is given ours.
    client = _client(provider, timeouts, catch)
    if provider.provider_type == "google_vertex":
        vendor: Any = GoogleCloudProvider(
            credentials=_google_credentials(),
            project=provider.project,
            location=provider.region,
            base_url=provider.base_url or None,
            http_client=client,
        )
    else:
        vendor = GoogleProvider(
            api_key=provider.api_key or "none", base_url=provider.base_url, http_client=client
        )
    return lambda name: GoogleModel(name, provider=vendor), client.aclose


def _own(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Any:  # noqa: ANN401 - null is the library's own client
    bounded = catch is not None or provider.reach is not None
    return _client(provider, timeouts, catch) if bounded else None


def _client(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Any:  # noqa: ANN401 - see above
    import httpx2  # noqa: PLC0415 - comes with the vendors' libraries only

    return httpx2.AsyncClient(
        transport=transport(catch, provider.reach),
        timeout=httpx2.Timeout(timeouts.silence_s, connect=timeouts.connect_s),
    )


def _google_credentials() -> Any:  # noqa: ANN401 - a type of Google's, which has no stubs
    """Return the machine's own credentials at Google. Raises `ModelKeyRefused` for none."""
    auth: Any = importlib.import_module("google.auth")
    faults: Any = importlib.import_module("google.auth.exceptions")
    try:
        credentials, _ = auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    except faults.GoogleAuthError as error:
        raise ModelKeyRefused(
            "This machine has no credentials of Google Cloud; point "
            "GOOGLE_APPLICATION_CREDENTIALS to a file with them."
        ) from error
    return credentials


def _responses(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Connected:
    from openai import AsyncOpenAI  # noqa: PLC0415 - slow to load
    from pydantic_ai.models.openai import OpenAIResponsesModel  # noqa: PLC0415 - slow to load
    from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415 - slow to load
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 - slow to load

    client = AsyncOpenAI(
        http_client=_own(provider, timeouts, catch),
        api_key=provider.api_key or "none",
        base_url=provider.base_url,
        max_retries=0,
        timeout=timeouts.total_s,
    )
    vendor = OpenAIProvider(openai_client=client)
    profile = OpenAIModelProfile(openai_system_prompt_role="developer")
    return lambda name: OpenAIResponsesModel(name, provider=vendor, profile=profile), client.close


def _bedrock(provider: ProviderConfig, timeouts: Timeouts, catch: Catch | None) -> Connected:
    try:
        boto3: Any = importlib.import_module("boto3")
        config: Any = importlib.import_module("botocore.config")
        from pydantic_ai.models.bedrock import BedrockConverseModel  # noqa: PLC0415 - an extra
        from pydantic_ai.providers.bedrock import BedrockProvider  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise BedrockExtraMissing from error
    session = boto3.Session(
        aws_access_key_id=provider.access_key,
        aws_secret_access_key=provider.api_key,
        aws_session_token=provider.session_token,
        region_name=provider.region,
    )
    client = session.client(
        "bedrock-runtime",
        endpoint_url=provider.base_url or None,
        config=config.Config(
            read_timeout=timeouts.silence_s,
            connect_timeout=timeouts.connect_s,
            retries={"total_max_attempts": 1},
        ),
    )
    hooked(client, catch)
    vendor = BedrockProvider(bedrock_client=client)

    async def close() -> None:
        await asyncio.to_thread(client.close)

    return lambda name: BedrockConverseModel(name, provider=vendor), close
