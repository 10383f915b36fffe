"""What an endpoint serves, asked of the endpoint itself."""

import asyncio
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, cast

import httpx
import orjson

from eunoe.domain.messages import Json
from eunoe.domain.models import UNKNOWN_CONTEXT_WINDOW
from eunoe.errors import ModelError, ModelReplyInvalid
from eunoe.llm.catalog import chats, embeds, known_dimensions, known_model
from eunoe.llm.connection import body_of
from eunoe.llm.faults import Origin, disconnection, refusal
from eunoe.llm.providers import ProviderConfig

_ASKED_AT_ONCE: Final = 8
_WINDOW_KEYS: Final = (
    "max_model_len", "context_length", "max_context_length", "context_window", "inputTokenLimit",
    "max_input_tokens",
)  # fmt: skip
_OUTPUT_KEYS: Final = ("max_output_tokens", "max_completion_tokens", "outputTokenLimit")
_PAGES: Final = 10
_PATIENCE: Final = httpx.Timeout(10.0, connect=3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One model that an endpoint serves; `dimensions` where it embeds, 0 if nobody says."""

    model: str
    context_window: int
    max_output_tokens: int | None = None
    dimensions: int | None = None


async def found(
    provider: ProviderConfig, *, client: httpx.AsyncClient, origin: Origin
) -> list[Found]:
    """Return the models of a provider. Raises `ModelError` where it cannot say."""
    asking = _Asking(client=client, origin=origin)
    try:
        return await _asked(provider, asking)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelReplyInvalid(
            f"{origin.name} sent a list of models of an unknown shape: {error!r}"
        ) from error


async def _asked(provider: ProviderConfig, asking: "_Asking") -> list[Found]:
    match provider.provider_type:
        case "ollama":
            return await _ollama(asking)
        case "lmstudio_openai":
            return await _lmstudio(asking)
        case "google_ai":
            return [_found(item) for item in await _google(asking)]
        case "anthropic" | "minimax":
            return [_found(item) for item in await _anthropic(asking)]
        case _:
            return await _openai(asking)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    client: httpx.AsyncClient
    origin: Origin

    async def json(self, path: str, *, post: Json | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Return the JSON at `path`: below the base URL, or with a slash below its host."""
        url = self.client.base_url.join(path) if path.startswith("/") else path
        try:
            async with self.client.stream(
                "GET" if post is None else "POST", url, json=post, timeout=_PATIENCE
            ) as response:
                body = await body_of(response)
        except httpx.RequestError as error:
            raise disconnection(error, begun=False, origin=self.origin) from error
        if response.status_code != HTTPStatus.OK:
            raise refusal(response.status_code, body, headers=response.headers, origin=self.origin)
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ModelReplyInvalid(
                f"{self.origin.name} sent no JSON from {path}; check the base URL."
            ) from error


async def _openai(asking: _Asking) -> list[Found]:
    reply = await asking.json("models")
    items = _items(reply)
    if any(item.get("owned_by") == "llamacpp" for item in items):
        window = await _llamacpp_window(asking)
        items = [item | {"context_window": window} if window else item for item in items]
    return [_found(item) for item in items if _is_served(item)]


async def _llamacpp_window(asking: _Asking) -> int | None:
    """Return the window that the server was started with; a file's own may be larger."""
    props: Json = await asking.json("/props")
    settings: Json = props.get("default_generation_settings") or {}
    return _positive(settings.get("n_ctx")) or _positive(props.get("n_ctx"))


async def _lmstudio(asking: _Asking) -> list[Found]:
    """Ask the newest interface first; an older server answers it with an error or a 404."""
    for path, key in (("/api/v1/models", "models"), ("/api/v0/models", "data")):
        reply = await _optional(asking.json(path))
        items = cast("Json", reply).get(key) if isinstance(reply, dict) else None
        if isinstance(items, list):
            return [_found(_of_lmstudio(item)) for item in cast("list[Json]", items)]
    return await _openai(asking)


def _of_lmstudio(item: Json) -> Json:
    loaded: list[Json] = item.get("loaded_instances") or []
    settings: list[Json] = [instance.get("config") or {} for instance in loaded]
    windows = [w for s in settings if (w := _positive(s.get("context_length")))]
    window = _positive(item.get("loaded_context_length")) or min(windows, default=None)
    named: Json = {"id": item.get("key") or item.get("id")}
    return item | named | ({"max_model_len": window} if window else {})


async def _ollama(asking: _Asking) -> list[Found]:
    reply: Json = await asking.json("/api/tags")
    gate = asyncio.Semaphore(_ASKED_AT_ONCE)

    async def shown(name: str) -> Found:
        async with gate:
            details = await _optional(asking.json("/api/show", post={"model": name}))
        return _of_ollama(name, cast("Json", details) if isinstance(details, dict) else {})

    models: list[Json] = reply.get("models") or []
    return list(await asyncio.gather(*(shown(str(item["name"])) for item in models)))


def _of_ollama(name: str, details: Json) -> Found:
    info: Json = details.get("model_info") or {}
    family = info.get("general.architecture", "")
    lines = str(details.get("parameters") or "").splitlines()
    chosen = [line.split()[-1] for line in lines if line.startswith("num_ctx")]
    window = (
        _positive(int(chosen[0])) if chosen else _positive(info.get(f"{family}.context_length"))
    )
    found = _found({"id": name, "max_model_len": window})
    if "embedding" not in (details.get("capabilities") or ()) and found.dimensions is None:
        return found
    length = _positive(info.get(f"{family}.embedding_length")) or found.dimensions or 0
    return Found(model=name, context_window=found.context_window, dimensions=length)


async def _google(asking: _Asking) -> list[Json]:
    reply: Json = await asking.json("/v1beta/models?pageSize=1000")
    items: list[Json] = reply.get("models") or []
    wanted = {"generateContent", "embedContent"}
    return [
        item | {"id": str(item["name"]).removeprefix("models/")}
        for item in items
        if wanted & set(item.get("supportedGenerationMethods") or ())
    ]


async def _anthropic(asking: _Asking) -> list[Json]:
    items: list[Json] = []
    path = "models?limit=1000"
    for _ in range(_PAGES):
        reply: Json = await asking.json(path)
        items += _items(reply)
        if not reply.get("has_more"):
            break
        path = f"models?limit=1000&after_id={reply['last_id']}"
    return items


async def _optional(asked: Awaitable[Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the answer, or None where this server does not have that page."""
    try:
        return await asked
    except ModelReplyInvalid:
        return None
    except ModelError as error:
        if error.detail.get("http_status") is None:
            raise
        return None


def _items(reply: object) -> list[Json]:
    items = cast("Json", reply).get("data") if isinstance(reply, dict) else reply
    if not isinstance(items, list):
        raise ModelReplyInvalid("The model provider sent a list of models of an unknown shape.")
    return [cast("Json", item) for item in cast("list[object]", items) if isinstance(item, dict)]


def _is_served(item: Json) -> bool:
    return bool(item.get("id")) and (chats(item["id"]) or embeds(item["id"]))


def _found(item: Json) -> Found:
    """Return a model of a list, its window as the list says, else as the catalog knows."""
    name = str(item["id"])
    known = known_model(name)
    top: Json = item.get("top_provider") or {}
    window = next(_numbers(item, _WINDOW_KEYS), None) or _positive(top.get("context_length"))
    output = next(_numbers(item | top, _OUTPUT_KEYS), None)
    embedding = str(item.get("type", "")).startswith("embedding") or embeds(name)
    return Found(
        model=name,
        context_window=window or (known.context_window if known else UNKNOWN_CONTEXT_WINDOW),
        max_output_tokens=output or (known.max_output_tokens if known else None),
        dimensions=(known_dimensions(name) or 0) if embedding else None,
    )


def _numbers(item: Json, keys: tuple[str, ...]) -> Iterator[int]:
    return (number for key in keys if (number := _positive(item.get(key))))


def _positive(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
