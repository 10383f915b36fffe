"""Logs: one form for ours and the libraries', and what never stands in them."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog

from eunoe import telemetry
from tests.test_telemetry import Collected

SECRET = 'sk-"quoted"-hunter2'  # noqa: S105 - a secret for the test alone


class Log(io.StringIO):
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def log() -> Iterator[Log]:
    root = logging.getLogger()
    before = (root.level, list(root.handlers))
    levels = {name: logging.getLogger(name).level for name in ("eunoe", "uvicorn.error")}
    configuration = structlog.get_config()
    yield Log()
    root.setLevel(before[0])
    root.handlers[:] = before[1]
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    structlog.configure(**configuration)


@pytest.mark.rule("streaming-8.4")
def test_a_record_says_when_where_and_for_whom(log: Log) -> None:
    telemetry.configure_logging(format="json", stream=log)
    with telemetry.bind(run_id="run-1", agent_id="agent-1"):
        structlog.get_logger("eunoe.runs").warning("gave up", attempts=3, prompt_tokens=12)
        logging.getLogger("eunoe.store").info("opened %s", "it", extra={"pages": 4})
    ours, plain = log.records()
    assert ours["message"] == "gave up"
    assert (ours["level"], ours["logger"], ours["run_id"]) == ("warning", "eunoe.runs", "run-1")
    assert (ours["attempts"], ours["prompt_tokens"]) == (3, 12)
    assert (ours["module"], ours["function"]) == (
        "test_logs",
        test_a_record_says_when_where_and_for_whom.__name__,
    )
    assert ours["timestamp"].endswith("Z")
    assert (plain["message"], plain["pages"], plain["agent_id"]) == ("opened it", 4, "agent-1")


@pytest.mark.rule("streaming-8.4")
def test_a_record_names_its_trace(log: Log) -> None:
    telemetry.configure_logging(format="json", stream=log)
    collected = Collected()
    telemetry.use_providers(tracers=collected.tracers, meters=collected.meters, version="0")
    with telemetry.span("run"):
        trace = telemetry.trace_id()
        structlog.get_logger("eunoe").info("here")
    telemetry.stop_telemetry()
    structlog.get_logger("eunoe").info("there")
    here, there = log.records()
    assert here["trace_id"] == trace
    assert "trace_id" not in there


@pytest.mark.rule("streaming-8.4")
@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_and_no_message_is_written(log: Log, form: Literal["json", "console"]) -> None:
    telemetry.configure_logging(format=form, stream=log, secrets=[SECRET, "", "abc"])
    logger = structlog.get_logger("eunoe")
    logger.info(
        "calling",
        api_key="hunter2",
        headers={"Authorization": "Bearer hunter2", "accept": "abc"},
        tokens=["hunter2"],
        url=f"postgresql://me:hunter2@db/{SECRET}",
        content="I live in hunter2 Street",
        messages=[{"content": "hunter2"}],
        note="Authorization: Bearer hunter2",
    )
    logging.getLogger("httpx").warning("sent %s", SECRET)
    try:
        int(SECRET)
    except ValueError:
        logger.exception("failed")
        logging.getLogger("asyncio").exception("failed too")
    text = log.getvalue()
    assert "hunter2" not in text
    assert "abc" in text
    assert text.count("ValueError") >= 2
    assert "withheld" in text


def test_messages_are_written_when_asked_for_and_secrets_still_not(log: Log) -> None:
    telemetry.configure_logging(format="json", stream=log, content=True, secrets=[SECRET])
    structlog.get_logger("eunoe").info("said", content="I drink tea", token="hunter2")  # noqa: S106 - a secret for the test alone
    (record,) = log.records()
    assert record["content"] == "I drink tea"
    assert record["token"] == "[redacted]"  # noqa: S105 - what stands in its place


def test_an_exception_is_data(log: Log) -> None:
    telemetry.configure_logging(format="json", stream=log)
    try:
        str({"here": 1}["gone"])
    except KeyError as error:
        structlog.get_logger("eunoe").error("failed", exc_info=error)
        logging.getLogger("eunoe").exception("failed")
    for record in log.records():
        assert record["exception"]["type"] == "KeyError"
        assert record["exception"]["message"] == "'gone'"
        assert "test_logs.py" in record["exception"]["stacktrace"]


def test_levels_are_ours_and_libraries_stay_quiet(log: Log) -> None:
    telemetry.configure_logging(level="debug", format="json", stream=log)
    for name in ("eunoe.x", "uvicorn.error", "httpx", "openai"):
        logging.getLogger(name).debug("quietly")
        logging.getLogger(name).warning("loudly")
    heard = {(record["logger"], record["message"]) for record in log.records()}
    assert ("eunoe.x", "quietly") in heard
    assert ("httpx", "loudly") in heard
    assert ("httpx", "quietly") not in heard
    assert ("openai", "quietly") not in heard


def test_configuring_again_replaces(log: Log) -> None:
    telemetry.configure_logging(format="json", stream=io.StringIO())
    telemetry.configure_logging(format="json", stream=log)
    structlog.get_logger("eunoe").info("once")
    assert len(log.records()) == 1
