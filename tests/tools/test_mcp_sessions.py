"""Sessions with MCP servers: good ones of the official SDK, and bad ones."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from time import process_time

import pytest

from eunoe.domain.mcp_servers import HttpKind, HttpServer, McpConfig, StdioServer
from eunoe.domain.messages import Image
from eunoe.domain.tools import ToolResult
from eunoe.errors import (
    McpAddressRefused,
    McpAuthorizationNeeded,
    McpCallRefused,
    McpError,
    McpStdioDisabled,
    McpTimedOut,
    McpUnreachable,
)
from eunoe.tools.mcp_addresses import Hosts
from eunoe.tools.mcp_sessions import Limits, McpSessions, Target
from tests.fixtures.hostile_http import Hostile
from tests.fixtures.mcp import demo, mcp_http
from tests.fixtures.web import served_app

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ANYWHERE = Hosts(private=True, stdio=True)
LIMITS = Limits(connect_s=20, list_s=10, call_s=10, message_bytes=1_000_000, most_tools=50)
DEMO = StdioServer(
    command=sys.executable,
    args=("-m", "tests.fixtures.mcp"),
    env={"TOKEN": "t", "PYTHONPATH": str(ROOT)},
)


def target(config: McpConfig, *, agent_id: str | None = None, revision: int = 1) -> Target:
    return Target(
        server_id="mcp_server-1", name="demo", revision=revision, config=config, agent_id=agent_id
    )


def web(url: str, **more: str) -> HttpServer:
    return HttpServer(kind="streamable_http", url=url, custom_headers=more or None)


@pytest.fixture
async def sessions() -> AsyncGenerator[McpSessions]:
    made = McpSessions(hosts=ANYWHERE, limits=LIMITS)
    yield made
    await made.close()


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be looked at does not."""
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False


@pytest.mark.rule("X43", "X47", "X54", "FIX-62")
async def test_a_command_is_run_once_and_does_not_outlive_its_session() -> None:
    sessions = McpSessions(hosts=ANYWHERE, limits=LIMITS)
    at = target(DEMO)
    listed = {tool.name: tool for tool in await sessions.list_tools(at)}
    assert listed["add"].description == "Add two numbers."
    assert [tool.name for tool in listed.values() if tool.idempotent] == ["add"]
    assert (await sessions.call(at, "add", {"a": 1, "b": 2})).output == "3"
    said = await asyncio.gather(*(sessions.call(at, "whoami", {}) for _ in range(3)))
    assert len({str(one.output) for one in said}) == 1
    name, pid, token, _ = str(said[0].output).split(" ", 3)
    assert (name, token) == ("demo", "t")
    child = int(str((await sessions.call(at, "beget", {})).output))
    assert is_alive(child)
    assert is_alive(int(pid))
    assert int(pid) != os.getpid()
    await sessions.close()
    # A signal takes a moment to be felt.
    async with asyncio.timeout(10):
        while is_alive(child) or is_alive(int(pid)):  # noqa: ASYNC110 -- processes set no event
            await asyncio.sleep(0.01)
    with pytest.raises(McpUnreachable):
        await sessions.call(at, "add", {"a": 1, "b": 2})


@pytest.mark.rule("X43", "X56")
async def test_a_command_that_ends_at_once_is_told_of_by_its_last_words(
    sessions: McpSessions,
) -> None:
    code = (
        "import os, sys; print('a' * 10**6, file=sys.stderr); sys.exit('No ' + os.environ['KEY'])"
    )
    config = StdioServer(command=sys.executable, args=("-c", code), env={"KEY": "s3cret"})
    with pytest.raises(McpUnreachable, match=r"ended with status 1: No …$"):
        await sessions.list_tools(target(config))


@pytest.mark.rule("X47", "X54")
async def test_what_a_server_gives_becomes_a_result(sessions: McpSessions) -> None:
    async with mcp_http(demo()) as served:
        at = target(web(served.url))
        assert await sessions.call(at, "add", {"a": 2, "b": 2}) == ToolResult(ok=True, output="4")
        shown = await sessions.call(at, "picture", {})
        assert shown.output == "Look:"
        assert [type(part).__name__ for part in shown.parts] == ["Text", "Image"]
        assert isinstance(shown.parts[1], Image)
        assert shown.parts[1].media_type == "image/png"
        failed = await sessions.call(at, "fail", {})
        assert not failed.ok
        assert "fail" in str(failed.output)
        for name, arguments in (("unheard_of", {}), ("add", {"a": "x"})):
            assert not (await sessions.call(at, name, arguments)).ok
        await sessions.close()


@pytest.mark.rule("X47", "FIX-62")
async def test_each_agent_has_a_session_with_its_own_headers(sessions: McpSessions) -> None:
    async with mcp_http(demo()) as served:
        config = web(served.url, **{"X-Team": "red"})
        for agent_id in ("agent-1", "agent-2", "agent-1"):
            said = await sessions.call(target(config, agent_id=agent_id), "whoami", {})
            assert agent_id in str(said.output)
            assert "red" in str(said.output)
        await sessions.close()
    opened = [seen for seen in served.seen if seen.get("mcp-method") == "tools/list"]
    assert {seen["x-agent-id"] for seen in opened} == {"agent-1", "agent-2"}
    assert len(opened) == 2


@pytest.mark.rule("X43")
async def test_the_older_transport_is_spoken_too(sessions: McpSessions) -> None:
    async with mcp_http(demo(), sse=True) as served:
        config = HttpServer(kind="sse", url=served.url)
        assert (await sessions.call(target(config), "add", {"a": 1, "b": 1})).output == "2"
        await sessions.close_all()
        elsewhere = HttpServer(kind="sse", url=f"{served.url}/of/s3cret?key=s3cret")
        with pytest.raises(McpUnreachable) as raised:
            await sessions.list_tools(target(elsewhere))
        assert "404" in str(raised.value)
        assert "s3cret" not in str(raised.value), "it may be an agent's"
        await sessions.close()


@pytest.mark.rule("FIX-62")
async def test_a_server_that_was_started_again_is_spoken_to_again(sessions: McpSessions) -> None:
    async with mcp_http(demo()) as first:
        at = target(web(first.url))
        assert (await sessions.call(at, "add", {"a": 1, "b": 1})).ok
    with pytest.raises(McpUnreachable):
        await sessions.call(at, "add", {"a": 1, "b": 1})
    async with mcp_http(demo(), port=first.port):
        assert (await sessions.call(at, "add", {"a": 1, "b": 1})).output == "2"
        await sessions.close()


@pytest.mark.rule("X47")
async def test_a_call_that_takes_too_long_is_given_up_and_the_next_is_not() -> None:
    sessions = McpSessions(hosts=ANYWHERE, limits=Limits(call_s=0.3))
    async with mcp_http(demo()) as served:
        at = target(web(served.url))
        with pytest.raises(McpTimedOut):
            await sessions.call(at, "hang", {})
        assert (await sessions.call(at, "add", {"a": 1, "b": 1})).output == "2"
        await sessions.close()


@pytest.mark.rule("FIX-62")
@pytest.mark.parametrize("kind", ["sse", "streamable_http"])
async def test_a_server_that_says_its_tools_changed_is_heard(kind: HttpKind) -> None:
    """Over the older protocol and over the newer one, which has another way to say it."""
    heard = asyncio.Event()

    async def changed(_: Target) -> None:
        heard.set()

    sessions = McpSessions(hosts=ANYWHERE, limits=LIMITS, changed=changed)
    async with mcp_http(demo(), sse=kind == "sse") as served:
        at = target(HttpServer(kind=kind, url=served.url))
        async with asyncio.timeout(20):
            # A server need not say it to those who began to listen a moment later.
            while not heard.is_set():
                assert (await sessions.call(at, "grow", {})).ok
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(heard.wait(), 0.5)
        assert "grown" in {tool.name for tool in await sessions.list_tools(at)}
        await sessions.close()


@pytest.mark.rule("X3", "X47", "X54")
@pytest.mark.parametrize(
    ("wrong", "outcome"),
    [
        ("gone", McpUnreachable),
        ("mute", McpTimedOut),
        ("endless-list", McpCallRefused),
        ("circular-list", McpCallRefused),
        ("nonsense-list", McpError),
        ("dies", McpUnreachable),
        ("silent", McpTimedOut),
        ("huge", McpUnreachable),
        ("garbage", ToolResult(ok=True, output="fine")),
        ("nonsense", False),
    ],
)
async def test_whatever_a_server_does_wrong_is_an_error_in_time(
    wrong: str, outcome: type[McpError] | ToolResult | bool
) -> None:
    script = str(ROOT / "tests/fixtures/hostile_mcp.py")
    config = StdioServer(command=sys.executable, args=("-S", script, wrong))
    limits = Limits(
        connect_s=2 if wrong == "mute" else 20,
        call_s=1 if wrong == "silent" else 20,
        message_bytes=1_000_000,
        most_tools=50,
    )
    sessions = McpSessions(hosts=ANYWHERE, limits=limits)
    try:
        async with asyncio.timeout(30):
            if isinstance(outcome, type):
                with pytest.raises(outcome):
                    await sessions.call(target(config), "t", {})
            else:
                result = await sessions.call(target(config), "t", {})
                assert result == outcome or result.ok is outcome
    finally:
        await sessions.close()


FINE = ToolResult(ok=True, output="fine")
WRONGS: dict[str, type[McpError]] = {
    "silent": McpTimedOut,
    "endless": McpTimedOut,
    "drip": McpTimedOut,
    "huge": McpError,
    "huge-event": McpError,
    "packed-huge": McpError,
    "packed-huge-event": McpError,
    "garbage": McpError,
    "page": McpError,
    "other-id": McpError,
    "broken": McpError,
    "unauthorized": McpAuthorizationNeeded,
    "redirect": McpError,
}


@pytest.mark.rule("X3", "X44", "X47", "X54")
@pytest.mark.parametrize(
    ("wrong", "at"),
    [
        *((wrong, "tools/call") for wrong in WRONGS),
        *((wrong, "initialize") for wrong in ("endless", "packed-huge", "redirect")),
        *((wrong, "tools/list") for wrong in ("drip", "packed-huge", "unauthorized")),
    ],
)
async def test_whatever_a_server_over_http_does_wrong_is_an_error_in_time(
    wrong: str, at: str
) -> None:
    limits = Limits(connect_s=20 if at == "tools/call" else 2, call_s=1, message_bytes=1_000_000)
    sessions = McpSessions(hosts=ANYWHERE, limits=limits)
    good = Hostile("nothing")
    async with served_app(good) as elsewhere, served_app(hostile := Hostile(wrong, at)) as url:
        hostile.elsewhere = elsewhere
        began = process_time()
        async with asyncio.timeout(20):
            try:
                said: McpError | ToolResult = await sessions.call(target(web(url)), "t", {})
            except McpError as error:
                said = error
            if isinstance(said, ToolResult):
                assert not said.ok, said
            else:
                assert isinstance(said, WRONGS[wrong]), repr(said)
            # Whoever speaks with another server meanwhile, or with this one later, is not harmed.
            hostile.at = ""
            assert await sessions.call(target(web(url)), "t", {}) == FINE
        assert process_time() - began < 10
        assert good.asked == []
        await sessions.close()


@pytest.mark.rule("FIX-62")
async def test_who_waits_for_a_session_that_is_dropped_is_not_cancelled() -> None:
    script = str(ROOT / "tests/fixtures/hostile_mcp.py")
    sessions = McpSessions(hosts=ANYWHERE, limits=Limits(connect_s=1))
    at = target(StdioServer(command=sys.executable, args=("-S", script, "mute")))
    waiting = asyncio.create_task(sessions.call(at, "t", {}))
    await asyncio.sleep(0)
    await sessions.drop(at.server_id)
    with pytest.raises(McpTimedOut):
        await waiting
    await sessions.close()


@pytest.mark.rule("X45")
@pytest.mark.parametrize(("name", "value"), [("X-Key", "a\r\nsecret"), ("X-Kéy", "s"), ("", "s")])
async def test_a_header_that_cannot_be_sent_is_not_shown(
    sessions: McpSessions, name: str, value: str
) -> None:
    with pytest.raises(McpUnreachable) as raised:
        await sessions.call(target(web("http://127.0.0.1:9/mcp", **{name: value})), "t", {})
    assert "secret" not in str(raised.value)
    assert "header" in str(raised.value)


@pytest.mark.rule("X43", "X44", "api-16.2")
@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:1/mcp",
        "http://127.0.0.1/mcp",
        "http://[::1]/mcp",
        "http://10.0.0.1/mcp",
        "http://169.254.169.254/mcp",
        "http://metadata.google.internal/mcp",
        "http://db.default.svc.cluster.local/mcp",
        "http://printer.local/mcp",
        "http://[::ffff:127.0.0.1]/mcp",
        "ftp://example.com/mcp",
        "nonsense",
        "http://[/mcp",
    ],
)
async def test_addresses_within_a_network_are_refused(url: str) -> None:
    sessions = McpSessions(hosts=Hosts())
    with pytest.raises(McpAddressRefused):
        await sessions.call(target(web(url)), "add", {})
    with pytest.raises(McpStdioDisabled):
        await sessions.call(target(DEMO), "add", {})
    await sessions.close()


@pytest.mark.rule("X44")
async def test_a_name_is_judged_by_what_it_stands_for() -> None:
    """A public name may stand for a private address; these numbers are such names."""
    for host in ("127.1", "2130706433"):
        with pytest.raises(McpAddressRefused):
            await Hosts().address(host, 80)
    assert await ANYWHERE.address("127.1", 80) == "127.0.0.1"
