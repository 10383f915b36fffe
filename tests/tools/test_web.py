"""Pages of the web as an agent reads them, and what searches for it."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import pytest

from eunoe.domain.tools import ToolResult
from eunoe.engine import addresses
from eunoe.runs.outbound import Outbound
from eunoe.testing.http_server import Request, json_response, response, serving
from eunoe.tools.custom import CustomTools
from eunoe.tools.programs import NoExecutor
from eunoe.tools.web import Web
from tests.http.library import pdf
from tests.tools.boxes import AGENT, Around, box, result

pytestmark = pytest.mark.anyio

PAGE = """<html><head><title>Tea</title><script>var a = "<b>";</script></head><body>
<nav><a href="/">Home</a></nav><main><h1>All of tea</h1>
<p>Tea is <a href="/leaf"> a  leaf</a> &amp; water.<p>Often hot.
<ul><li>green</li><li>black<a href="#note"></a></li></ul><pre>boil(
  water)</pre></main><footer>Copyright</footer></body></html>"""
MARKDOWN = """# Tea

# All of tea

Tea is [a leaf]({url}/leaf) & water.

Often hot.

- green
- black

```
boil(
  water)
```"""
PAGES: dict[str, tuple[int, str, bytes]] = {
    "/tea": (200, "text/html; charset=utf-8", PAGE.encode()),
    "/moved": (302, "/tea", b""),
    "/round": (302, "/round", b""),
    "/inside": (302, "http://127.0.0.2/secret", b""),
    "/elsewhere": (302, "file:///etc/passwd", b""),
    "/latin": (200, "text/html; charset=iso-8859-1", "<p>Perché</p>".encode("latin-1")),
    "/plain": (200, "text/plain", b"as <it> is"),
    "/json": (200, "application/problem+json", b'{"a": 1}'),
    "/picture": (200, "image/png", b"\x89PNG"),
    "/broken": (200, "application/pdf", b"%PDF-1.4 no more"),
    "/gone": (410, "text/html", b"<h1>It went</h1>"),
    "/empty": (200, "text/html", b"<script>1</script>"),
    "/huge": (200, "text/plain", bytes(21 << 20)),
    "/menu": (200, "text/html", b"<nav>Only a menu"),
}


def answer(request: Request) -> bytes:
    status, kind, body = PAGES.get(request.path, (404, "text/plain", b""))
    headers = {"location": kind} if status == 302 else None
    return response(status, body, content_type=kind, headers=headers)


@asynccontextmanager
async def web(*, private: bool = True, **variables: str) -> AsyncGenerator[Web]:
    guarded, trusted = Outbound(allow_private=private), Outbound(allow_private=True)
    yield Web(fetch=guarded.fetch, trusted=trusted.fetch, variables=variables)
    await guarded.close()
    await trusted.close()


async def read(url: str, *, private: bool = True) -> ToolResult:
    async with web(private=private) as reached:
        return await result(box(web=reached), "fetch_webpage", url=url)


@pytest.mark.rule("X39")
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/tea", MARKDOWN),
        ("/moved", MARKDOWN),
        ("/latin", "Perché"),
        ("/plain", "as <it> is"),
        ("/json", '{"a": 1}'),
        ("/menu", "Only a menu\n"),
    ],
)
async def test_what_can_be_read_at_an_address_is_returned(path: str, told: str) -> None:
    async with serving(answer) as url:
        read_there = await read(url + path)
        assert (read_there.ok, read_there.output) == (True, told.replace("{url}", url))


@pytest.mark.rule("X39")
async def test_a_pdf_is_read_as_files_are() -> None:
    data = pdf("Tea is hot")
    async with serving(lambda _: response(200, data, content_type="application/pdf")) as url:
        read_there = await read(url)
    assert (read_there.ok, "Tea is hot" in str(read_there.output)) == (True, True)


@pytest.mark.rule("X39")
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/picture", "image/png, which is not text"),
        ("/broken", "damaged"),
        ("/gone", "answered 410.\n\n# It went"),
        ("/nowhere", "answered 404."),
        ("/empty", "no text at"),
        ("/huge", "AnswerTooLarge"),
        ("/round", "RedirectedTooOften"),
        ("/elsewhere", "AddressRefused"),
    ],
)
async def test_what_cannot_be_read_says_why(path: str, told: str) -> None:
    async with serving(answer) as url:
        read_there = await read(url + path)
    assert not read_there.ok
    assert told in str(read_there.output)


@pytest.mark.rule("X3", "X39")
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/", "http://[::1", f"http://{'a' * 70}.invalid/"]
)
async def test_where_nothing_answers_nothing_of_this_server_is_told(url: str) -> None:
    read_there = await read(url)
    assert "Nothing can be read there: " in str(read_there.output)
    assert "Traceback" not in "".join(read_there.stderr)


@pytest.mark.rule("FIX-69")
async def test_private_addresses_are_refused_and_redirects_to_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving(answer) as url:
        for there in (f"{url}/tea", "http://localhost/", "http://169.254.169.254/", "http://[::1]"):
            refused = await read(there, private=False)
            assert "AddressRefused" in str(refused.output), there
        # One of two addresses of this machine stands for a public one.

        def is_here(address: str, *, private: bool) -> bool:
            return address == "127.0.0.1" and not private

        monkeypatch.setattr(addresses, "is_reachable", is_here)
        assert (await read(f"{url}/tea", private=False)).ok
        assert "AddressRefused" in str((await read(f"{url}/inside", private=False)).output)
    for bad in ("ftp://example.org/", "/tea"):
        assert "http://" in str((await read(bad)).output)


@dataclass
class Engine:
    """A search engine that answers with `said` and keeps what it was asked."""

    said: Any
    status: int = 200
    asked: list[Request] = field(default_factory=list[Request])

    def answer(self, request: Request) -> bytes:
        self.asked.append(request)
        return json_response(self.said, status=self.status)

    @property
    def body(self) -> Any:
        return json.loads(self.asked[-1].body)


async def search(
    variables: Mapping[str, str], *, secrets: Mapping[str, str] | None = None, **arguments: Any
) -> tuple[bool, Any]:
    around = CustomTools(agent=AGENT, executor=NoExecutor(), surroundings=Around(secrets or {}))
    async with web(private=False, **variables) as reached:
        found = await result(box(web=reached, custom=around), "web_search", **arguments)
    return found.ok, json.loads(str(found.output))


EXA = {
    "results": [
        {"title": "T", "url": "https://t.org", "publishedDate": "2024-02-01", "author": "A", "text": "x" * 9, "highlights": ["h"], "score": 1},
        {"title": "U", "url": "https://u.org"},
    ]
}  # fmt: skip


@pytest.mark.rule("X37", "X38")
async def test_exa_is_asked_in_its_own_words() -> None:
    engine = Engine(EXA)
    async with serving(engine.answer) as url:
        ok, said = await search(
            {"EXA_API_KEY": "k", "EXA_BASE_URL": url, "TAVILY_API_KEY": "not asked"},
            query="tea",
            num_results=500,
            category="news",
            include_text=True,
            include_domains=["t.org"],
            start_published_date="2024-01-01",
            user_location="IT",
        )
    assert ok
    first, second = said["results"]
    assert said["query"] == "tea"
    assert first == {
        "title": "T", "url": "https://t.org", "published_date": "2024-02-01", "author": "A",
        "text": "x" * 9, "highlights": ["h"],
    }  # fmt: skip
    assert second == {"title": "U", "url": "https://u.org", "published_date": None, "author": None}
    assert engine.asked[0].headers["x-api-key"] == "k"
    assert engine.body == {
        "query": "tea",
        "numResults": 100,
        "type": "auto",
        "category": "news",
        "includeDomains": ["t.org"],
        "startPublishedDate": "2024-01-01",
        "userLocation": "IT",
        "contents": {
            "highlights": {"numSentences": 2, "highlightsPerUrl": 3},
            "text": {"maxCharacters": 400},
        },
    }


@pytest.mark.rule("X37")
async def test_tavily_is_asked_in_its_own_words_and_texts_keep_to_their_share() -> None:
    engine = Engine({"results": [{"title": "T", "url": "https://t.org", "content": "c", "raw_content": "y" * 99_000}]})  # fmt: skip
    async with serving(engine.answer) as url:
        ok, said = await search(
            {"TAVILY_API_KEY": "k", "TAVILY_BASE_URL": url},
            query="tea",
            include_text=True,
            exclude_domains=["u.org"],
            end_published_date="2024-12-31T00:00:00Z",
        )
    assert ok
    assert (said["results"][0]["highlights"], len(said["results"][0]["text"])) == (["c"], 4_000)
    assert engine.asked[0].headers["authorization"] == "Bearer k"
    assert engine.body == {
        "query": "tea",
        "max_results": 10,
        "topic": "general",
        "exclude_domains": ["u.org"],
        "end_date": "2024-12-31",
        "include_raw_content": True,
    }


@pytest.mark.rule("X37")
async def test_searxng_is_asked_and_its_answer_is_filtered() -> None:
    rows = [
        {"title": "1", "url": "https://en.t.org/a", "content": "c", "publishedDate": "2024-05-01T00:00:00"},
        {"title": "2", "url": "https://not-t.org/"},
        {"title": "3", "url": "https://t.org/", "publishedDate": "2023-05-01"},
        {"title": "4", "url": "https://bad.t.org/"},
        "no object",
    ]  # fmt: skip
    engine = Engine({"results": rows})
    async with serving(engine.answer) as url:
        ok, said = await search(
            {"SEARXNG_URL": f"{url}/s/"},
            query="tea & cake",
            category="news",
            include_domains=["t.org"],
            exclude_domains=["bad.t.org"],
            start_published_date="2024-01-01",
        )
    assert ok
    assert [one["title"] for one in said["results"]] == ["1"]
    (asked,) = engine.asked
    assert asked.path == "/s/search"
    assert parse_qs(asked.query) == {"q": ["tea & cake"], "format": ["json"], "categories": ["news"]}  # fmt: skip


@pytest.mark.rule("X37")
async def test_an_agents_own_secrets_go_before_and_reach_public_addresses_alone() -> None:
    engine = Engine(EXA)
    async with serving(engine.answer) as url:
        server = {"EXA_API_KEY": "of the server", "EXA_BASE_URL": url}
        ok, said = await search(server, secrets={"SEARXNG_URL": url}, query="tea")
    assert (ok, engine.asked) == (False, [])
    assert (said["query"], "AddressRefused" in said["error"]) == ("tea", True)


@pytest.mark.rule("FIX-69")
@pytest.mark.parametrize(
    ("said", "status", "told"),
    [
        ({"error": "no credit"}, 402, "no credit"),
        (["odd"], 200, "no list of results"),
        ({"results": None}, 200, "no list of results"),
        (None, 0, "EXA_API_KEY"),
    ],
)
async def test_a_search_that_fails_is_a_failure(said: Any, status: int, told: str) -> None:
    engine = Engine(said, status=status)
    async with serving(engine.answer) as url:
        variables = {"EXA_API_KEY": "k", "EXA_BASE_URL": url} if status else {}
        ok, answered = await search(variables, query="tea")
    assert not ok
    assert answered.keys() == {"query", "error"}
    assert told in answered["error"]


@pytest.mark.rule("X38")
async def test_a_kind_that_is_none_is_refused() -> None:
    async with web() as reached:
        around = CustomTools(agent=AGENT, executor=NoExecutor(), surroundings=Around())
        toolbox = box(web=reached, custom=around)
        refused = await result(toolbox, "web_search", query="tea", category="gossip")
    assert "research paper" in str(refused.output)
    assert toolbox.traits("web_search").parallel
    assert not toolbox.traits("web_search").effectful
