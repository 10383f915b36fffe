"""The built-in tool that searches the web: one form of question and answer, three who may be asked.

An agent's own secrets go before the server's variables (X37); of each, the first that is set is
asked. What goes wrong is a failure of the call, told in the form of an answer (FIX-69).
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast
from urllib.parse import urlencode, urlsplit

from eunoe.domain.messages import Json
from eunoe.domain.tools import ToolResult
from eunoe.errors import SearchFailed, SearchUnavailable
from eunoe.tools import fields
from eunoe.tools.web import Fetch, Web

Secrets: TypeAlias = Callable[[], Awaitable[Mapping[str, str]]]
"""Reads the agent's secrets when they are needed."""
WEB_SEARCH: Final = "web_search"
CATEGORIES: Final = (
    "company",
    "research paper",
    "news",
    "pdf",
    "github",
    "tweet",
    "personal site",
    "linkedin profile",
    "financial report",
)
_DEFAULT_RESULTS: Final = 10
_MOST_RESULTS: Final = 100
_MOST_OF_TAVILY: Final = 20
_TIMEOUT_S: Final = 30.0
_MOST_BYTES: Final = 8 * 1024 * 1024
_TEXT_CHARS: Final = 40_000
"""What the texts of all results may have together, so that their JSON stays whole."""
_HIGHLIGHT_CHARS: Final = 600
_TOLD_OF_ERROR: Final = 300
_OK: Final = range(200, 300)
_FIELDS: Final = ("title", "url", "published_date", "author", "text", "highlights", "summary")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What is looked for; dates are ISO 8601, `location` a country's code of two letters."""

    text: str
    count: int
    category: str | None
    include_text: bool
    include_domains: tuple[str, ...]
    exclude_domains: tuple[str, ...]
    start: str | None
    end: str | None
    location: str | None


async def web_search(arguments: Json, *, web: Web, secrets: Secrets) -> ToolResult:
    """Return `{query, results}`, or a failure `{query, error}`, as JSON text."""
    query = _query(arguments)
    theirs = await secrets()
    own = any(theirs.get(name) for name in ENGINES)
    variables, fetch = (theirs, web.fetch) if own else (web.variables, web.trusted)
    engine = next((ask for name, ask in ENGINES.items() if variables.get(name)), _nobody)
    try:
        found = await engine(query, variables, fetch)
    except Exception as error:  # noqa: BLE001 -- whoever is asked may fail in any way
        told = f"{type(error).__name__}: {error}"
        return ToolResult(ok=False, output=_text({"query": query.text, "error": told}))
    results = [_result(one, query=query) for one in found[: query.count]]
    return ToolResult(ok=True, output=_text({"query": query.text, "results": results}))


def _query(arguments: Json) -> Query:
    of = WEB_SEARCH
    asked = fields.whole_number(arguments, "num_results", of=of, default=_DEFAULT_RESULTS)
    return Query(
        text=fields.text(arguments, "query", of=of),
        count=max(1, min(asked, _MOST_RESULTS)),
        category=fields.choice(arguments, "category", of=of, among=CATEGORIES),
        include_text=fields.truth(arguments, "include_text", of=of),
        include_domains=fields.texts(arguments, "include_domains", of=of),
        exclude_domains=fields.texts(arguments, "exclude_domains", of=of),
        start=fields.optional_text(arguments, "start_published_date", of=of),
        end=fields.optional_text(arguments, "end_published_date", of=of),
        location=fields.optional_text(arguments, "user_location", of=of),
    )


def _text(said: Json) -> str:
    return json.dumps(said, ensure_ascii=False)


def _result(one: Json, *, query: Query) -> Json:
    """Return one result with what is known of it, its text cut to its share."""
    share = _TEXT_CHARS // query.count
    known = {name: one[name] for name in _FIELDS if one.get(name)}
    if "text" in known:
        known["text"] = str(known["text"])[:share]
    if "highlights" in known:
        known["highlights"] = [str(text)[:_HIGHLIGHT_CHARS] for text in known["highlights"]]
    return {"title": None, "url": None, "published_date": None, "author": None, **known}


async def _nobody(query: Query, variables: Mapping[str, str], fetch: Fetch) -> list[Json]:
    raise SearchUnavailable


async def _exa(query: Query, variables: Mapping[str, str], fetch: Fetch) -> list[Json]:
    contents: Json = {"highlights": {"numSentences": 2, "highlightsPerUrl": 3}}
    if query.include_text:
        contents["text"] = {"maxCharacters": _TEXT_CHARS // query.count}
    body = {
        "query": query.text,
        "numResults": query.count,
        "type": "auto",
        "category": query.category,
        "includeDomains": query.include_domains,
        "excludeDomains": query.exclude_domains,
        "startPublishedDate": query.start,
        "endPublishedDate": query.end,
        "userLocation": query.location,
        "contents": contents,
    }
    url = variables.get("EXA_BASE_URL") or "https://api.exa.ai"
    said = await _posted(fetch, f"{url}/search", body, {"x-api-key": variables["EXA_API_KEY"]})
    return [{**one, "published_date": one.get("publishedDate")} for one in said]


async def _tavily(query: Query, variables: Mapping[str, str], fetch: Fetch) -> list[Json]:
    body = {
        "query": query.text,
        "max_results": min(query.count, _MOST_OF_TAVILY),
        "topic": "news" if query.category == "news" else "general",
        "include_domains": query.include_domains,
        "exclude_domains": query.exclude_domains,
        "start_date": query.start and query.start[:10],
        "end_date": query.end and query.end[:10],
        "include_raw_content": query.include_text,
    }
    url = variables.get("TAVILY_BASE_URL") or "https://api.tavily.com"
    key = f"Bearer {variables['TAVILY_API_KEY']}"
    said = await _posted(fetch, f"{url}/search", body, {"Authorization": key})
    return [{**one, "text": one.get("raw_content"), "highlights": _highlights(one)} for one in said]


async def _searxng(query: Query, variables: Mapping[str, str], fetch: Fetch) -> list[Json]:
    """Ask a server of the operator's own; what it cannot filter is filtered here."""
    categories = {"news": "news", "research paper": "science", "tweet": "social media"}
    asked = {
        "q": query.text,
        "format": "json",
        "categories": categories.get(query.category or "", "general"),
    }
    url = variables["SEARXNG_URL"].rstrip("/")
    said = await _asked(fetch, f"{url}/search?{urlencode(asked)}", {}, None)
    return [
        {**one, "published_date": one.get("publishedDate"), "highlights": _highlights(one)}
        for one in said
        if _is_wanted(one, query)
    ]


def _highlights(one: Json) -> list[str]:
    return [str(one["content"])] if one.get("content") else []


def _is_wanted(one: Json, query: Query) -> bool:
    host = urlsplit(str(one.get("url"))).hostname or ""
    day = str(one.get("publishedDate") or "")[:10]
    if query.include_domains and not any(_within(host, name) for name in query.include_domains):
        return False
    if any(_within(host, name) for name in query.exclude_domains):
        return False
    return not day or ((query.start or "")[:10] <= day <= (query.end or "9999")[:10])


def _within(host: str, domain: str) -> bool:
    return host == domain.lower() or host.endswith(f".{domain.lower()}")


async def _posted(fetch: Fetch, url: str, body: Json, key: Mapping[str, str]) -> list[Json]:
    given = {name: value for name, value in body.items() if value not in (None, ())}
    headers = {"Content-Type": "application/json", **key}
    return await _asked(fetch, url, headers, json.dumps(given).encode())


async def _asked(
    fetch: Fetch, url: str, headers: Mapping[str, str], content: bytes | None
) -> list[Json]:
    """Return the results of an answer; raise `SearchFailed` for one that has none to give."""
    answer = await fetch(
        url,
        headers={"Accept": "application/json", "User-Agent": "eunoe", **headers},
        content=content,
        timeout_s=_TIMEOUT_S,
        most_bytes=_MOST_BYTES,
    )
    host = urlsplit(url).hostname
    if answer.status not in _OK:
        told = answer.data[:_TOLD_OF_ERROR].decode(errors="replace")
        raise SearchFailed(f"{host} answered {answer.status}: {told}")
    try:
        said: Any = json.loads(answer.data)
        results = cast("Sequence[object]", said["results"])
        return [cast("Json", one) for one in results if isinstance(one, dict)]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SearchFailed(f"{host} answered with something that is no list of results.") from error


ENGINES: Final = {"EXA_API_KEY": _exa, "TAVILY_API_KEY": _tavily, "SEARXNG_URL": _searxng}
"""Who is asked, by the variable that says so."""
