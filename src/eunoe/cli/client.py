"""The part of the Letta V1 API that the commands use, over one connection pool.

The official client is not needed to run a server, so it is not a dependency of one.
"""

import ast
import re
import ssl
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, Self, cast

import httpx

from eunoe import settings
from eunoe.cli.failure import MISUSED, CommandFailed
from eunoe.cli.stream import Ended, Json, Piece, Placed, pieces, pieces_of

_ANSWER_S: Final = 60.0
_SILENCE_S: Final = 90.0
"""Longer than the server's pings are apart, so that only a dead one is given up."""
_FILING_S: Final = 900.0
"""How long a large file may take."""
_LOWEST_ERROR: Final = 400
_TOO_LARGE: Final = 413
_OK: Final = 200
_NOTHING: Final = 204
_UNAUTHORIZED: Final = 401
_CONFLICT: Final = 409
_CODE: Final = re.compile(r"\A[A-Z_]+: ")
"""What a text of the API's begins with, for programs (api 3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSummary:
    id: str
    name: str
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The handles that a server serves."""

    models: tuple[str, ...]
    embeddings: tuple[str, ...]

    def has_models_of(self, provider: str) -> bool:
        return any(handle.startswith(f"{provider}/") for handle in self.models)


class Refused(CommandFailed):
    """The server answered with an error, `status`."""

    def __init__(self, sentence: str, *, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class ConnectionLost(CommandFailed):
    """The stream broke before its end; `place` is where it can be taken up again, if known."""

    def __init__(self, url: str, *, place: Placed | None) -> None:
        super().__init__(f"The connection to the server at {url} was lost.")
        self.place = place


class Client:
    """Talks to one server. Close it, or use it as a context manager."""

    def __init__(self, url: str, *, password: str | None = None) -> None:
        self.url = url.rstrip("/").removesuffix("/v1")
        # As bytes, which any password has.
        headers = {b"authorization": f"Bearer {password}".encode()} if password else {}
        timeout = httpx.Timeout(_ANSWER_S, connect=5.0)
        # Reading the trusted certificates takes longer than a request; plain HTTP needs none.
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http:") else True
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=timeout, verify=trust)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def version(self) -> str | None:
        """Return the version of a healthy server, null where none answers."""
        try:
            answer = self._http.get("/v1/health/", timeout=2.0)
        except httpx.HTTPError:
            return None
        if answer.status_code != _OK:
            return None
        try:
            return cast("str | None", answer.json().get("version"))
        except (ValueError, AttributeError):
            return None

    def served(self) -> Served:
        return Served(
            models=tuple(entry["handle"] for entry in self.listed("/v1/models/")),
            embeddings=tuple(entry["handle"] for entry in self.listed("/v1/models/embedding")),
        )

    def agents(self) -> list[AgentSummary]:
        """Return the agents, the newest first."""
        entries = self.listed("/v1/agents/", {"limit": 200, "order": "desc"})
        return [_summary(entry) for entry in entries]

    def create_agent(
        self, *, name: str | None, model: str | None, blocks: Mapping[str, str]
    ) -> AgentSummary:
        body: Json = {
            "memory_blocks": [{"label": label, "value": text} for label, text in blocks.items()]
        }
        if name is not None:
            body["name"] = name
        if model is not None:
            body["model"] = model
        return _summary(cast("Json", self.ask("POST", "/v1/agents/", json=body)))

    def blocks(self, agent_id: str) -> dict[str, str]:
        """Return the text of each memory block, by label."""
        entries = self.listed(f"/v1/agents/{agent_id}/core-memory/blocks")
        return {entry["label"]: entry["value"] for entry in reversed(entries)}

    def send(self, agent_id: str, text: str) -> Iterator[Piece]:
        """Send a message and yield the answer as it comes. Raises `ConnectionLost`."""
        return self._send(agent_id, {"role": "user", "content": text})

    def waiting(self, agent_id: str) -> Iterator[Piece]:
        """Yield the calls for whose approval the agent waits, as when it asked."""
        for last in self.listed(f"/v1/agents/{agent_id}/messages", {"limit": 1, "order": "desc"}):
            if last["message_type"] == "approval_request_message":
                yield from pieces_of(last)
        yield Ended()

    def decide(self, agent_id: str, call_ids: Sequence[str], *, approve: bool) -> Iterator[Piece]:
        """Answer a request for approval and yield what follows. Raises `ConnectionLost`."""
        approvals = [
            {"type": "approval", "tool_call_id": call_id, "approve": approve}
            for call_id in call_ids
        ]
        return self._send(agent_id, {"type": "approval", "approvals": approvals})

    def _send(self, agent_id: str, message: Json) -> Iterator[Piece]:
        # The otid makes a repeated request the same request (G-5).
        body: Json = {
            "messages": [{**message, "otid": str(uuid.uuid4())}],
            "stream_tokens": True,
            "include_pings": True,
        }
        return self._pieces(f"/v1/agents/{agent_id}/messages/stream", body, place=None)

    def take_up(self, place: Placed) -> Iterator[Piece]:
        """Yield the rest of a run's stream, from after the last event seen (G-4)."""
        body: Json = {"starting_after": place.seq, "include_pings": True}
        return self._pieces(f"/v1/runs/{place.run_id}/stream", body, place=place)

    def export(self, agent_id: str, *, everything: bool) -> bytes:
        """Return the file of an agent."""
        query = {"everything": "true"} if everything else None
        path = f"/v1/agents/{agent_id}/export"
        answer = self._request("GET", path, params=query, timeout_s=_FILING_S)
        _refuse(answer)
        return answer.content

    def import_file(self, file: bytes, *, form: Mapping[str, str]) -> Json:
        """Have the agents of a file made; return their ids, and what was left out."""
        answer = self._request(
            "POST",
            "/v1/agents/import",
            data=form,
            files={"file": ("agent.af", file, "application/json")},
            timeout_s=_FILING_S,
        )
        if answer.status_code == _TOO_LARGE:
            sentence = "The file is larger than the server takes; raise its EUNOE_MAX_BODY_BYTES."
            raise Refused(sentence, status=answer.status_code)
        _refuse(answer)
        return cast("Json", _json(answer))

    def cancel(self, agent_id: str) -> bool:
        """Stop what the agent is doing; false when it was doing nothing."""
        answer = self._request("POST", f"/v1/agents/{agent_id}/messages/cancel", json={})
        if answer.status_code == _CONFLICT:
            return False
        _refuse(answer)
        return True

    def _pieces(self, path: str, body: Json, *, place: Placed | None) -> Iterator[Piece]:
        try:
            with self._opened(path, body) as answer:
                for piece in pieces(answer.iter_bytes()):
                    yield piece
                    if isinstance(piece, Placed):
                        place = piece
                    if isinstance(piece, Ended):
                        return
        except httpx.TransportError as error:
            raise ConnectionLost(self.url, place=place) from error
        raise ConnectionLost(self.url, place=place)

    @contextmanager
    def _opened(self, path: str, body: Json) -> Generator[httpx.Response]:
        timeout = httpx.Timeout(_SILENCE_S, connect=5.0)
        with self._http.stream("POST", path, json=body, timeout=timeout) as answer:
            if answer.status_code >= _LOWEST_ERROR:
                answer.read()
                _refuse(answer)
            yield answer

    def listed(self, path: str, query: Mapping[str, object] | None = None) -> list[Json]:
        """Return what a list of the API answers."""
        return cast("list[Json]", self.ask("GET", path, params=query))

    def ask(
        self,
        method: Literal["GET", "POST", "PUT", "DELETE"],
        path: str,
        *,
        json: Json | None = None,
        params: Mapping[str, object] | None = None,
    ) -> object:
        """Return what the API answers, null for nothing; raise `Refused` where it does not."""
        given = {name: value for name, value in (params or {}).items() if value is not None}
        answer = self._request(method, path, json=json, params=given)
        _refuse(answer)
        return None if answer.status_code == _NOTHING else _json(answer)

    def _request(
        self,
        method: str,
        path: str,
        *,
        timeout_s: float = _ANSWER_S,
        **sent: Any,  # noqa: ANN401 - as httpx has it
    ) -> httpx.Response:
        try:
            timeout = httpx.Timeout(timeout_s, connect=5.0)
            return self._http.request(method, path, timeout=timeout, **sent)
        except httpx.TransportError as error:
            sentence = f"No server answers at {self.url}; start one with: eunoe server"
            raise CommandFailed(sentence) from error


def connected(url: str | None) -> Client:
    """Return a client of that server, or of the configured one."""
    configured = settings.load()
    if url and not url.startswith(("http://", "https://")):
        sentence = f"{url} is not the address of a server; write http:// or https:// before it."
        raise CommandFailed(sentence, code=MISUSED)
    return Client(url or configured.url, password=configured.credential)


def _refuse(answer: httpx.Response) -> None:
    """Raise what a failed request says, as a sentence."""
    if answer.status_code < _LOWEST_ERROR:
        return
    if answer.status_code == _UNAUTHORIZED:
        wrong = "authorization" in answer.request.headers
        wants = "refuses what was brought" if wrong else "wants a password or a key"
        sentence = f"The server {wants}; set EUNOE_PASSWORD or EUNOE_API_KEY to its own."
        raise Refused(sentence, status=answer.status_code)
    said = _CODE.sub("", _detail(_json(answer))) or answer.reason_phrase
    raise Refused(f"{said} (HTTP {answer.status_code})", status=answer.status_code)


def _json(answer: httpx.Response) -> object:
    """Return the body. Raises `Refused` where it is none of the API's."""
    try:
        return cast("object", answer.json())
    except ValueError as error:
        sentence = f"What answers at {answer.url} is no Eunoe (HTTP {answer.status_code})"
        raise Refused(sentence, status=answer.status_code) from error


def _detail(body: object) -> str:
    """Return the sentence of an error body, in any of its shapes (api 3.1)."""
    if isinstance(body, str):
        # A list of what is wrong with a request comes in Python's form (api 3.4).
        return _detail(ast.literal_eval(body)) if body.startswith("[{'type': ") else body
    if isinstance(body, list):
        return "; ".join(_detail(part) for part in cast("list[object]", body))
    if isinstance(body, dict):
        named = cast("Json", body)
        if "loc" in named:
            return f"{'.'.join(map(str, named['loc']))}: {named['msg']}"
        for key in ("detail", "error", "message", "msg"):
            if named.get(key):
                return _detail(named[key])
    return ""


def _summary(entry: Json) -> AgentSummary:
    config: Json = entry.get("llm_config") or {}
    model = entry.get("model") or config.get("handle") or config.get("model") or "no model"
    return AgentSummary(id=entry["id"], name=entry["name"], model=model)
