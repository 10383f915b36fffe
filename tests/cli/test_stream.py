"""Reading a stream of the Letta V1 API: framing, pieces, and where it stopped."""

import json

import pytest

from eunoe.cli.stream import (
    Called,
    Ended,
    Failed,
    Piece,
    Placed,
    Returned,
    Said,
    Stopped,
    Used,
    pieces,
)

RUN = "run-6f1c0c62-2b51-4b0e-9d3a-1f2e3d4c5b6a"


def frame(seq: int | None = None, **fields: object) -> bytes:
    chunk = {"run_id": RUN if seq is not None else None, "seq_id": seq, **fields}
    return b"data: " + json.dumps(chunk, ensure_ascii=False).encode() + b"\n\n"


RECORDED = b"".join(
    [
        frame(1, message_type="ping", id="ping-1"),
        b": keepalive\n\n",
        frame(2, message_type="reasoning_message", otid="a", reasoning="She is \u2028Ada."),
        frame(
            3,
            message_type="tool_call_message",
            tool_call={"name": "memory_insert", "tool_call_id": "c1", "arguments": '{"label":'},
        ),
        frame(
            4,
            message_type="tool_call_message",
            tool_call={"name": None, "tool_call_id": "c1", "arguments": '"human"}'},
        ),
        frame(
            5,
            message_type="tool_return_message",
            tool_call_id="c1",
            status="success",
            tool_return="done",
            tool_returns=[{"tool_call_id": "c1", "status": "success", "tool_return": "done"}],
        ),
        frame(6, message_type="assistant_message", otid="b", content="Hello "),
        frame(
            7, message_type="assistant_message", otid="b", content=[{"type": "text", "text": "Ada"}]
        ),
        frame(8, message_type="from_the_future", content="ignored"),
        frame(message_type="stop_reason", stop_reason="end_turn"),
        frame(message_type="usage_statistics", total_tokens=12, step_count=2),
        b"data: [DONE]\n\n",
        frame(99, message_type="assistant_message", content="after the end"),
    ]
)


def _read(data: bytes, size: int) -> list[Piece]:
    return list(pieces(data[start : start + size] for start in range(0, len(data), size)))


def _without_places(found: list[Piece]) -> list[Piece]:
    return [piece for piece in found if not isinstance(piece, Placed)]


@pytest.mark.rule("streaming-2.1", "streaming-2.4", "streaming-2.9", "streaming-2.15")
@pytest.mark.parametrize("size", [1, 2, 7, 64, 100_000])
def test_a_stream_is_read_alike_however_it_is_cut(size: int) -> None:
    found = _read(RECORDED, size)
    assert _without_places(found) == [
        Said(kind="reasoning", otid="a", text="She is \u2028Ada."),
        Called(call_id="c1", name="memory_insert", arguments='{"label":'),
        Called(call_id="c1", name="", arguments='"human"}'),
        Returned(call_id="c1", ok=True, text="done"),
        Said(kind="assistant", otid="b", text="Hello "),
        Said(kind="assistant", otid="b", text="Ada"),
        Stopped(reason="end_turn"),
        Used(tokens=12, steps=2),
        Ended(),
    ]
    places = [piece for piece in found if isinstance(piece, Placed)]
    assert places[-1] == Placed(run_id=RUN, seq=8)


@pytest.mark.rule("streaming-2.2")
def test_a_cut_stream_has_no_end_and_no_half_event() -> None:
    cut = RECORDED[: RECORDED.index(b"stop_reason") + 5]
    found = _read(cut, 50)
    assert not any(isinstance(piece, (Ended, Stopped)) for piece in found)
    assert found[-1] == Placed(run_id=RUN, seq=8)


@pytest.mark.rule("streaming-9.2")
def test_an_error_event_is_a_failure() -> None:
    data = b"event: error\r\n" + frame(
        message_type="error_message", error_type="llm_error", message="It failed.", detail="why"
    ).replace(b"\n", b"\r\n")
    assert _read(data, 9) == [Failed(message="It failed.", detail="why")]


@pytest.mark.rule("streaming-2.6")
def test_an_approval_request_names_every_call() -> None:
    calls = [{"name": n, "tool_call_id": n, "arguments": "{}"} for n in ("first", "second")]
    data = frame(3, message_type="approval_request_message", tool_call=calls[0], tool_calls=calls)
    assert _without_places(_read(data, 1000)) == [
        Called(call_id="first", name="first", arguments="{}", asks=True),
        Called(call_id="second", name="second", arguments="{}", asks=True),
    ]
