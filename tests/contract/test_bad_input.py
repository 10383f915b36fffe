"""What no client should send: each is refused with a sentence, nothing is lost, the server lives."""

import itertools
import socket
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from letta_client import Letta
from letta_client.types import AgentState

from tests.contract.conftest import MODEL
from tests.contract.reading import content_of
from tests.fixtures.servers import Server

JSON: Final = {"content-type": "application/json"}
UNKNOWN: Final = "00000000-0000-4000-8000-000000000009"
MEBIBYTE: Final = 1024 * 1024
IMAGE: Final = orjson.dumps(
    {
        "input": [
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "image/png", "data": "JVBERi0xLjc="},
            }
        ]
    }
)


@pytest.fixture(autouse=True)
def unharmed(server: Server, http: httpx.Client) -> Iterator[None]:
    """After each test the server answers, and has met no failure that it did not expect."""
    before = len(server.faults())
    yield
    assert http.get("/v1/health/").json()["status"] == "ok"
    assert server.faults()[before:] == []


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and the text of a refusal, which is always one string."""
    body = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(body["detail"], str)
    assert "Traceback" not in body["detail"]
    return answer.status_code, body["detail"]


def nested(depth: int) -> bytes:
    return b'{"a":' * depth + b"1" + b"}" * depth


@pytest.mark.rule("api-3.1", "api-3.2", "api-3.4")
@pytest.mark.parametrize(
    ("body", "statuses"),
    [
        (b"", {422}),
        (b"null", {422}),
        (b"[]", {422}),
        (b"3", {422}),
        (b'"text"', {422}),
        (b'{"input": "x', {422}),
        (b'{"input": "x"} trailing', {422}),
        (b'{"input": "\xff\xfe"}', {400, 422}),
        (b'{"input": {"deep": true}}', {422}),
        (b'{"input": 5}', {422}),
        (b'{"messages": "x"}', {422}),
        (b'{"messages": [null]}', {422}),
        (b'{"messages": [{}]}', {422}),
        (b'{"input": "x", "max_steps": "many"}', {422}),
        (b'{"input": "x", "max_steps": 1e300}', {422}),
        (b'{"input": "x", "streaming": {}}', {422}),
        (b"[" * 100_000, {400, 422}),
        (b'{"input": "x", "client_tools": ' + nested(50_000) + b"}", {400, 422}),
        (IMAGE, {400}),
        (b'{"input": ""}', {400}),
    ],
)  # fmt: skip
def test_a_body_that_is_not_a_request(
    http: httpx.Client, letta: Letta, agent: AgentState, body: bytes, statuses: set[int]
) -> None:
    answer = http.post(f"/v1/agents/{agent.id}/messages", content=body, headers=JSON)
    status, _ = refusal(answer)
    assert status in statuses
    assert letta.runs.list(agent_id=agent.id).items == []


@pytest.mark.rule("api-3.2", "api-3.4")
@pytest.mark.parametrize(
    "fields",
    [
        b'"metadata": {"a": ' + b"9" * 30 + b"}",
        b'"metadata": ' + nested(300),
        b'"context_window_limit": ' + b"9" * 30,
        b'"max_tokens": ' + b"9" * 30,
        b'"response_format": {"type": "json_schema", "json_schema": ' + nested(300) + b"}",
    ],
)
def test_values_that_cannot_be_stored(http: httpx.Client, fields: bytes) -> None:
    body = b'{"model": "' + MODEL.encode() + b'", ' + fields + b"}"
    status, _ = refusal(http.post("/v1/agents/", content=body, headers=JSON))
    assert status in {400, 422}


@pytest.mark.rule("api-3.2")
def test_a_body_past_the_limit_is_refused_unread(http: httpx.Client, agent: AgentState) -> None:
    url = f"/v1/agents/{agent.id}/messages"
    whole = http.post(url, content=b" " * (65 * MEBIBYTE), headers=JSON)
    piece = b" " * MEBIBYTE
    chunked = http.post(url, content=itertools.repeat(piece, 65), headers=JSON)
    for answer in (whole, chunked):
        assert refusal(answer)[0] == 413


@pytest.mark.rule("G-3", "api-8.2")
def test_a_message_of_fifty_megabytes_is_kept_and_blocks_nobody(
    http: httpx.Client, letta: Letta, agent: AgentState
) -> None:
    text = "word " * (10 * MEBIBYTE)
    run = http.post(f"/v1/agents/{agent.id}/messages/async", json={"input": text}, timeout=120)
    assert run.status_code == 200, run.text[:200]
    assert http.post(f"/v1/runs/{run.json()['id']}/stream", json={}, timeout=120).status_code == 200
    said = letta.agents.messages.list(agent.id, order="asc", limit=2).items[1]
    assert content_of(said) == text
    assert letta.agents.messages.reset(agent.id, add_default_initial_messages=False)


@pytest.mark.rule("api-6.5", "api-1.6")
def test_long_and_odd_names(http: httpx.Client, letta: Letta) -> None:
    long = letta.agents.create(name="n" * MEBIBYTE)
    assert len(letta.agents.retrieve(long.id).name) == MEBIBYTE
    odd = rb'{"name": "\u0000A\ud800d\udfffa", "metadata": {"k\u0000": "\ud83d"}}'
    made = http.post("/v1/agents/", content=odd, headers=JSON).json()
    assert (made["name"], made["metadata"]) == ("Ada", {"k": ""})


@pytest.mark.rule("api-1.6", "G-3")
def test_a_message_of_nothing_but_odd_characters(
    http: httpx.Client, letta: Letta, agent: AgentState
) -> None:
    body = (
        rb'{"messages": [{"role": "user", "content": "a\u0000\udc00b\ufffe", "otid": "\ud800o"}]}'
    )
    answer = http.post(f"/v1/agents/{agent.id}/messages", content=body, headers=JSON)
    assert answer.status_code == 200
    (said,) = letta.agents.messages.list(
        agent.id, include_return_message_types=["user_message"]
    ).items
    assert (content_of(said), said.otid) == ("ab\ufffe", "o")


@pytest.mark.rule("api-2.2", "api-2.8")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("agents/agent-1", 422),
        (f"agents/block-{UNKNOWN}", 422),
        (f"agents/AGENT-{UNKNOWN}", 422),
        (f"agents/agent-{UNKNOWN}%00", 404),
        (f"agents/agent-{UNKNOWN}", 404),
        (f"agents/agent-{UNKNOWN}/messages", 404),
        (f"agents/agent-{UNKNOWN}/core-memory/blocks", 404),
        (f"agents/agent-{UNKNOWN}/tools", 404),
        (f"agents/agent-{UNKNOWN}/archival-memory", 404),
        (f"agents/agent-{UNKNOWN}/context", 404),
        (f"blocks/block-{UNKNOWN}", 404),
        ("blocks/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        (f"tools/tool-{UNKNOWN}", 404),
        (f"archives/archive-{UNKNOWN}", 404),
        (f"messages/message-{UNKNOWN}", 404),
        (f"steps/step-{UNKNOWN}", 404),
        (f"runs/run-{UNKNOWN}", 404),
        ("runs/run-1", 400),
        ("nothing/here", 404),
    ],
)
def test_ids_that_lead_nowhere(http: httpx.Client, path: str, status: int) -> None:
    assert refusal(http.get(f"/v1/{path}"))[0] == status


@pytest.mark.rule("api-5.5", "api-5.6", "api-1.4")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("agents/?limit=-1", 422),
        ("agents/?limit=many", 422),
        (f"agents/?limit={'9' * 30}", 200),
        ("agents/?after=%00%ff", 200),
        ("agents/?order=sideways", 422),
        ("agents/?" + "&".join(f"tags=t{n}" for n in range(4_000)), 200),
        ("agents/?name=" + "n" * 50_000, 200),
        ("agents/?query_text=%25_%5C%27%22%3B--", 200),
        ("blocks/?label_search=" + "n" * 201, 422),
        ("blocks/?connected_to_agents_count_gt=" + "9" * 30, 422),
        ("blocks/?connected_to_agents_count_eq=" + "9" * 30, 422),
        ("messages/?after=nothing", 404),
        ("steps/?start_date=never", 400),
        ("steps/?start_date=0001-01-01T00:00:00%2B14:00", 400),
        ("archives/?after=nothing", 404),
        ("runs/?limit=1001", 422),
        ("tools/?tool_types=nothing", 400),
    ],
)
def test_odd_queries(http: httpx.Client, query: str, status: int) -> None:
    answer = http.get(f"/v1/{query}")
    assert answer.status_code == status, answer.text[:300]
    if status != 200:
        refusal(answer)


@pytest.mark.rule("api-8.20", "api-14.5")
@pytest.mark.parametrize(
    "query", ['" OR NEAR( * : ^ -', "'; DROP TABLE messages; --", "\\", "()", "0 OR tea"]
)
def test_a_search_is_never_a_syntax(
    letta: Letta, http: httpx.Client, agent: AgentState, query: str
) -> None:
    for mode in ("fts", "vector", "hybrid"):
        letta.messages.search(query=query, agent_id=agent.id, search_mode=mode)
        strangers = {"query": "tea", "agent_id": query, "search_mode": mode}
        assert http.post("/v1/messages/search", json=strangers).json() == []
    letta.passages.search(query=query, agent_id=agent.id)


@pytest.mark.rule("api-1.3", "api-1.10")
def test_headers_of_every_sort(http: httpx.Client, agent: AgentState) -> None:
    url = f"/v1/agents/{agent.id}"
    for accept in ("application/x-nothing", "image/*;q=0.1", "", ";;"):
        assert http.get(url, headers={"accept": accept}).status_code == 200
    for kind in ("application/xml", "text/plain", "application/x-www-form-urlencoded", ";;\xff"):
        headers: Any = {"content-type": kind.encode("latin-1")}
        answer = http.post(f"{url}/messages", content=b"a=b", headers=headers)
        assert refusal(answer)[0] == 422
    packed = http.post(
        f"{url}/messages", content=b"\x1f\x8b", headers={**JSON, "content-encoding": "gzip"}
    )
    assert refusal(packed)[0] in {400, 415, 422}
    assert refusal(http.get(url, headers={"user_id": "root"}))[0] == 400
    assert refusal(http.put("/v1/agents/"))[0] == 405


@pytest.mark.rule("G-3")
@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00 not http at all\r\n\r\n",
        b"GET /v1/health/ HTTP/9.9\r\n\r\n",
        b"POST /v1/agents/ HTTP/1.1\r\nhost: x\r\ncontent-length: nine\r\n\r\n",
        b"POST /v1/agents/ HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nZZ\r\n",
        b"GET /v1/health/ HTTP/1.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n",
        b"POST /v1/agents/ HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
    ],
)
def test_bytes_that_are_no_request(server: Server, raw: bytes) -> None:
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname or "", address.port or 0), timeout=20) as peer:
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: peer.recv(65_536), b""))
    assert received == b"" or received.startswith(b"HTTP/1.1 4"), received[:100]


@pytest.mark.rule("G-5", "streaming-1.10")
def test_one_otid_twice_in_a_request(http: httpx.Client, letta: Letta, agent: AgentState) -> None:
    said = [{"role": "user", "content": text, "otid": "twin"} for text in ("one", "two")]
    answers = [
        http.post(f"/v1/agents/{agent.id}/messages", json={"messages": said}) for _ in range(2)
    ]
    assert {answer.status_code for answer in answers} <= {200, 409, 422}
    assert answers[0].text == answers[1].text
    kept: Any = letta.agents.messages.list(
        agent.id, include_return_message_types=["user_message"]
    ).items
    assert [one.content for one in kept] == ["one", "two"]
