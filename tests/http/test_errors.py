"""The one table from failures to answers (api 3, streaming 9.2)."""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from inline_snapshot import snapshot
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from eunoe import errors
from eunoe.domain.events import Failed
from eunoe.errors import EunoeError
from eunoe.http.errors import answer_of, answer_of_failed, install, status_of
from eunoe.http.paths import AgentId, ToolId
from tests.reporting import reports
from tests.wire.said import RUN

pytestmark = pytest.mark.anyio


class Body(BaseModel):
    api_key: str
    size: int


def raising(error: Exception) -> Callable[[], None]:
    def route() -> None:
        raise error

    return route


@pytest.fixture
async def client() -> AsyncGenerator[httpx.AsyncClient]:
    app = FastAPI()
    install(app)

    @app.get("/agents/{agent_id}/tools/{tool_id}")
    def attached(agent_id: AgentId, tool_id: ToolId) -> str:
        return agent_id + tool_id

    @app.post("/bodies")
    def take(body: Body) -> int:
        return body.size

    app.get("/ours")(raising(errors.ListBusy(run_id=RUN)))
    app.get("/http")(raising(HTTPException(501, "Not here.")))
    app.get("/unforeseen")(raising(ZeroDivisionError("a secret detail")))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as http:
        yield http


def told(error: EunoeError) -> tuple[int, Any, dict[str, str]]:
    answer = answer_of(error)
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name not in ("content-length", "content-type")
    }
    return answer.status_code, httpx.Response(200, content=bytes(answer.body)).json(), headers


@pytest.mark.rule("api-3.1", "api-3.2", "api-1.7")
def test_plain_failures() -> None:
    assert told(errors.Invalid("Wrong.")) == snapshot(
        (400, {"detail": "INVALID_ARGUMENT: Wrong."}, {})
    )
    assert told(errors.Missing("Not there.")) == snapshot(
        (404, {"detail": "NOT_FOUND: Not there."}, {})
    )
    assert told(errors.ListBusy(run_id=RUN)) == snapshot(
        (
            409,
            {
                "detail": "CONFLICT: Another run is working on this message list; wait until it ends or cancel it.",
                "run_id": "run-00000000-0000-4000-8000-000000000002",
            },
            {"x-should-retry": "false"},
        )
    )
    assert told(errors.ListBusy(run_id=None)) == snapshot(
        (
            409,
            {
                "detail": "CONFLICT: Another run is working on this message list; wait until it ends or cancel it."
            },
            {"x-should-retry": "false"},
        )
    )
    assert told(errors.BlockChanged("Changed.")) == snapshot(
        (409, {"detail": "CONFLICT: Changed."}, {})
    )
    assert told(errors.WriteConflict("Rival.")) == snapshot(
        (409, {"detail": "CONFLICT: Rival."}, {"retry-after": "1"})
    )
    assert told(errors.RunExpired("Gone.")) == snapshot((410, {"detail": "EXPIRED: Gone."}, {}))
    assert told(errors.DiskFull("Full.")) == snapshot((503, {"detail": "Full."}, {}))
    assert told(EunoeError("Odd.")) == snapshot(
        (500, {"detail": "INTERNAL_SERVER_ERROR: Odd."}, {})
    )


@pytest.mark.rule("api-3.3", "streaming-9.3")
def test_failures_of_a_model() -> None:
    assert told(errors.ModelTimedOut("Slow.")) == snapshot(
        (504, {"error": {"type": "llm_timeout", "message": "Slow.", "detail": "Slow."}}, {})
    )
    assert told(errors.ModelRateLimited("Often.", retry_after_s=2.4)) == snapshot(
        (
            429,
            {"error": {"type": "llm_rate_limit", "message": "Often.", "detail": "Often."}},
            {"retry-after": "3"},
        )
    )
    assert told(errors.ModelReplyEmpty("Nothing.")) == snapshot(
        (500, {"error": {"type": "llm_error", "message": "Nothing.", "detail": "Nothing."}}, {})
    )
    assert told(errors.ModelOverloaded("Busy.")) == snapshot((503, {"detail": "Busy."}, {}))
    assert told(errors.ContextOverflow("Long.")) == snapshot(
        (400, {"detail": "CONTEXT_WINDOW_EXCEEDED: Long."}, {})
    )


@pytest.mark.rule("api-3.3")
@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (errors.ModelTimedOut, 504),
        (errors.ModelRateLimited, 429),
        (errors.ModelCreditExhausted, 402),
        (errors.ModelKeyRefused, 401),
        (errors.ModelRequestRefused, 400),
        (errors.BedrockPermissionDenied, 403),
        (errors.ModelUnreachable, 500),
        (errors.ModelOverloaded, 503),
        (errors.SystemPromptTooLarge, 400),
        (errors.ModelUnknown, 404),
        (errors.EmbeddingUnknown, 400),
        (errors.OtidReused, 409),
        (errors.DatabaseUnreachable, 503),
    ],
)
def test_statuses(cause: type[EunoeError], status: int) -> None:
    assert status_of(cause) == status


@pytest.mark.rule("G-6", "streaming-1.11")
@pytest.mark.parametrize(
    ("code", "status"), [("llm_rate_limit", 429), ("internal_error", 500), ("never_heard_of", 500)]
)
def test_a_failed_run_answers_as_its_error_and_is_not_to_be_retried(code: str, status: int) -> None:
    failed = Failed(run_id=RUN, error_type="llm_error", code=code, message="No.", detail="Why.")
    answer = answer_of_failed(failed)
    assert answer.status_code == status
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-letta-run-id"] == RUN


@pytest.mark.rule("api-2.2", "api-3.4")
@pytest.mark.parametrize("agent_id", ["agent-1", "AGENT-123", "agent-" + "0" * 36, "x" * 500])
async def test_malformed_ids_are_told_with_samples(
    client: httpx.AsyncClient, agent_id: str
) -> None:
    answer = await client.get(f"/agents/{agent_id}/tools/tool-{agent_id}")
    assert answer.status_code == 422
    body = answer.json()
    assert body["trace_id"] == ""
    assert isinstance(body["detail"], str)
    assert body["detail"].count("'string_pattern_mismatch'") == 2
    assert "agent-{uuid4}" in body["detail"]
    assert body["examples"] == [
        "agent-123e4567-e89b-42d3-8456-426614174000",
        "tool-123e4567-e89b-42d3-8456-426614174000",
    ]


@pytest.mark.rule("api-3.1")
async def test_a_body_that_does_not_fit_is_told_without_what_it_held(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/bodies", json={"api_key": "sk-secret", "size": "sk-secret"})
    assert answer.status_code == 422
    assert answer.json() == snapshot(
        {
            "trace_id": "",
            "detail": "[{'type': 'int_parsing', 'loc': ('body', 'size'), 'msg': 'Input should be a valid integer, unable to parse string as an integer'}]",
        }
    )
    assert (await client.post("/bodies", content=b"{")).status_code == 422
    assert (await client.post("/bodies", content=b"[" * 100_000)).status_code in (400, 422)


@pytest.mark.rule("api-3.1", "api-3.2")
async def test_the_handlers_are_installed(client: httpx.AsyncClient) -> None:
    assert (await client.get("/ours")).json()["run_id"] == RUN
    answer = await client.get("/http")
    assert (answer.status_code, answer.json()) == (501, {"detail": "Not here."})
    assert (await client.get("/nowhere")).json() == {"detail": "NOT_FOUND: Not Found"}
    assert (await client.post("/ours")).status_code == 405


@pytest.mark.rule("api-3.4", "streaming-8.4")
async def test_what_nobody_foresaw_is_opaque_logged_and_reported(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with reports() as reported:
        answer = await client.get("/unforeseen")
    assert [type(one) for one in reported] == [ZeroDivisionError]
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "GET /unforeseen: unforeseen" in caplog.text
    assert "ZeroDivisionError" in caplog.text
