"""The transport on its own: bodies of every length, connections that end, TLS, limits."""

import asyncio
import datetime as dt
import ipaddress
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from eunoe.llm.connection import Timeouts, client
from eunoe.llm.transport import KeptTransport
from eunoe.testing.http_server import (
    STREAM_END,
    STREAM_HEAD,
    ConnectionCut,
    Request,
    chunk,
    response,
    serving,
)
from tests.llm.talk import then_closed

pytestmark = pytest.mark.anyio

Served = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


@asynccontextmanager
async def getting(
    base_url: str = "", *, most: int = 8, keep_s: float = 60, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[httpx.AsyncClient]:
    transport = KeptTransport(tls=tls, most=most, keep_s=keep_s)
    async with httpx.AsyncClient(base_url=base_url, transport=transport, timeout=5) as http:
        yield http


async def test_a_body_of_known_length_and_one_in_chunks() -> None:
    answers = [response(200, b"known"), STREAM_HEAD + chunk(b"in ") + chunk(b"chunks") + STREAM_END]
    async with serving(lambda r: answers[int(r.path[1:])]) as url, getting(url) as http:
        assert [(await http.get(f"/{n}")).text for n in (0, 1, 0)] == [
            "known",
            "in chunks",
            "known",
        ]


async def test_a_body_that_ends_with_the_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n"
    async with serving(lambda _: then_closed(head + b"all of it")) as url, getting(url) as http:
        assert [(await http.get("/")).text for _ in range(2)] == ["all of it"] * 2


@pytest.mark.parametrize("status", [204, 304])
async def test_no_body_at_all(status: int) -> None:
    async with serving(lambda _: b"HTTP/1.1 %d X\r\n\r\n" % status) as url, getting(url) as http:
        assert [(await http.get("/")).status_code for _ in range(2)] == [status] * 2


async def test_hints_before_the_answer_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"
    async with serving(lambda _: early + response(200, b"late")) as url, getting(url) as http:
        answer = await http.get("/")
    assert (answer.status_code, answer.text) == (200, "late")
    assert "link" not in answer.headers


async def test_a_large_body_waits_for_its_reader() -> None:
    part = bytes(range(256)) * 1024

    async def body() -> AsyncIterator[bytes]:
        yield STREAM_HEAD
        for _ in range(40):
            yield chunk(part)
        yield STREAM_END

    async with (
        serving(lambda _: body()) as url,
        getting(url) as http,
        http.stream("GET", "/") as answer,
    ):
        read = b"".join([piece async for piece in answer.aiter_raw()])
    assert read == part * 40


async def test_a_request_with_a_body_arrives_whole() -> None:
    seen: list[Request] = []

    def answer(request: Request) -> bytes:
        seen.append(request)
        return response(200, b"")

    async with serving(answer) as url, getting(url) as http:
        await http.post("/a?b=c", content=b"x" * 500_000, headers={"x-y": "z"})
    assert (seen[0].method, seen[0].path, seen[0].headers["x-y"]) == ("POST", "/a", "z")
    assert seen[0].body == b"x" * 500_000


async def test_a_connection_that_the_server_will_close_is_not_used_again() -> None:
    numbers: list[int] = []

    def answer(request: Request) -> AsyncIterator[bytes]:
        numbers.append(request.connection)
        return then_closed(response(200, b"ok", headers={"connection": "close"}))

    async with serving(answer) as url, getting(url) as http:
        assert [(await http.get("/")).text for _ in range(3)] == ["ok"] * 3
    assert numbers == [1, 2, 3]


async def test_a_connection_that_rested_too_long_is_not_used_again() -> None:
    numbers: list[int] = []

    def answer(request: Request) -> bytes:
        numbers.append(request.connection)
        return response(200, b"ok")

    async with serving(answer) as url, getting(url, keep_s=0) as http:
        await http.get("/")
        await http.get("/")
    assert numbers == [1, 2]


async def test_an_answer_that_was_not_read_costs_its_connection() -> None:
    numbers: list[int] = []

    def answer(request: Request) -> bytes:
        numbers.append(request.connection)
        return response(200, b"ok" * 100)

    async with serving(answer) as url, getting(url) as http:
        async with http.stream("GET", "/"):
            pass
        await http.get("/")
    assert numbers == [1, 2]


@pytest.mark.parametrize("garbage", [b"SSH-2.0-server\r\n", b"HTTP/1.1 abc\r\n\r\n"])
async def test_what_is_not_http(garbage: bytes) -> None:
    async with serving(lambda _: garbage) as url, getting(url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/")


async def test_a_body_shorter_than_promised() -> None:
    short = response(200, b"0123456789")[:-3]
    async with serving(lambda _: then_closed(short)) as url, getting(url) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get("/")


async def test_who_comes_last_waits_for_a_connection() -> None:
    gate = asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        await gate.wait()
        yield response(200, b"ok")

    async with serving(lambda _: slow()) as url, getting(url, most=1) as http:
        first = asyncio.create_task(http.get("/"))
        await asyncio.sleep(0)
        with pytest.raises(httpx.PoolTimeout):
            await http.get("/", timeout=httpx.Timeout(5, pool=0.02))
        gate.set()
        assert (await first).text == "ok"
        assert (await http.get("/")).text == "ok"


async def test_failures_give_their_place_back() -> None:
    async def cut() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"
        raise ConnectionCut

    async with serving(lambda _: cut()) as url, getting(url, most=1) as http:
        for _ in range(3):
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get("/")
    async with getting("http://127.0.0.1:9", most=1) as http:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await http.get("/")


def _certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, key_pem = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return pem, key_pem


async def test_tls_is_spoken_to_who_can_be_trusted_and_to_nobody_else(tmp_path: Path) -> None:
    pem, key = _certificate(tmp_path)
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(pem, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response(200, b"secret"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=theirs)
    url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        trusting = ssl.create_default_context(cafile=pem)
        async with getting(url, tls=trusting) as http:
            assert (await http.get("/")).text == "secret"
        async with getting(url, tls=ssl.create_default_context()) as http:
            with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                await http.get("/")


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def proxy(request: Request) -> bytes:
        asked.append(request.path)
        return response(200, b"by proxy")

    async with serving(proxy) as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        base = "http://models.example/v1"
        http = client(base_url=base, headers={}, params={}, timeouts=Timeouts())
        assert (await http.get("models")).text == "by proxy"
        await http.aclose()
        direct = client(base_url=url, headers={}, params={}, timeouts=Timeouts())
        await direct.get("models")
        await direct.aclose()
    assert asked == ["http://models.example/v1/models", "/models"]
