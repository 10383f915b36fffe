"""What each event of a run looks like on the wire (streaming 2.4, 3)."""

import pytest
from inline_snapshot import snapshot

from eunoe.domain.events import Compacting, Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.messages import Json
from eunoe.domain.runs import Usage
from eunoe.domain.views import Answered, Summarised, View
from eunoe.runs.outcome import Outcome
from eunoe.wire.messages import Lens
from eunoe.wire.stream import answer, chunks
from tests.wire.said import AT, RUN, view

STARTED = Started(run_id=RUN, ping_id="ping-1", at=AT.isoformat())
COMPACTING = Compacting(
    id="message-1",
    at=AT.isoformat(),
    run_id=RUN,
    trigger="post_step_context_check",
    context_token_estimate=90,
    context_window=100,
)
USED = Used(
    usage=Usage(prompt_tokens=3, completion_tokens=2, total_tokens=5, cached_input_tokens=0),
    step_count=1,
    context_tokens=5,
)


def seen(event: RunEvent, *, pings: bool = True, lens: Lens | None = None) -> list[Json]:
    return chunks(event, lens or Lens(), seq=4, pings=pings)


@pytest.mark.rule("streaming-2.14")
def test_the_first_event_is_a_ping_for_who_wants_pings() -> None:
    assert seen(STARTED) == snapshot(
        [
            {
                "id": "ping-1",
                "date": "2026-01-02T03:04:05+00:00",
                "name": None,
                "message_type": "ping",
                "otid": None,
                "sender_id": None,
                "step_id": None,
                "is_err": None,
                "seq_id": 4,
                "run_id": "run-00000000-0000-4000-8000-000000000002",
            }
        ]
    )
    assert seen(STARTED, pings=False) == []


@pytest.mark.rule("streaming-2.11")
def test_a_view_carries_its_place_in_the_log() -> None:
    (made,) = seen(Shown(view=view(Answered(text="Hi."))))
    assert (made["content"], made["seq_id"], made["run_id"]) == ("Hi.", 4, RUN)


@pytest.mark.rule("streaming-2.13", "G-18")
def test_the_end_of_a_run_is_never_filtered() -> None:
    nothing = Lens(types=frozenset())
    assert seen(Stopped(reason="end_turn"), lens=nothing) == snapshot(
        [{"message_type": "stop_reason", "stop_reason": "end_turn"}]
    )
    assert seen(USED, lens=nothing) == snapshot(
        [
            {
                "message_type": "usage_statistics",
                "completion_tokens": 2,
                "prompt_tokens": 3,
                "total_tokens": 5,
                "step_count": 1,
                "run_ids": None,
                "cached_input_tokens": 0,
                "cache_write_tokens": None,
                "reasoning_tokens": None,
                "context_tokens": 5,
                "cost_usd": None,
            }
        ]
    )
    assert seen(Ended(), lens=nothing) == []
    assert seen(Shown(view=view(Answered(text="Hi."))), lens=nothing) == []


@pytest.mark.rule("streaming-9.2")
def test_a_failure() -> None:
    failed = Failed(run_id=RUN, error_type="llm_timeout", code="llm_timeout", message="Too slow.")
    assert seen(failed) == snapshot(
        [
            {
                "message_type": "error_message",
                "run_id": "run-00000000-0000-4000-8000-000000000002",
                "error_type": "llm_timeout",
                "message": "Too slow.",
                "detail": None,
                "seq_id": 4,
            }
        ]
    )


@pytest.mark.rule("streaming-2.12")
def test_a_compaction_is_told_only_when_asked() -> None:
    assert seen(COMPACTING) == []
    assert seen(COMPACTING, lens=Lens(summaries=True)) == snapshot(
        [
            {
                "id": "message-1",
                "date": "2026-01-02T03:04:05+00:00",
                "name": None,
                "message_type": "event_message",
                "otid": None,
                "sender_id": None,
                "step_id": None,
                "is_err": None,
                "seq_id": 4,
                "run_id": "run-00000000-0000-4000-8000-000000000002",
                "event_type": "compaction",
                "event_data": {
                    "trigger": "post_step_context_check",
                    "context_token_estimate": 90,
                    "context_window": 100,
                },
            }
        ]
    )


def outcome(*seen: View, compactions: tuple[Compacting, ...] = ()) -> Outcome:
    return Outcome(views=seen, compactions=compactions, reason="end_turn", used=USED, failed=None)


@pytest.mark.rule("streaming-3.1", "api-8.4")
def test_a_whole_answer() -> None:
    made = answer(outcome(view(Answered(text="Hi."))), Lens())
    assert [one["content"] for one in made["messages"]] == ["Hi."]
    assert [one["seq_id"] for one in made["messages"]] == [None]
    del made["messages"]
    assert made == snapshot(
        {
            "stop_reason": {"message_type": "stop_reason", "stop_reason": "end_turn"},
            "usage": {
                "message_type": "usage_statistics",
                "completion_tokens": 2,
                "prompt_tokens": 3,
                "total_tokens": 5,
                "step_count": 1,
                "run_ids": None,
                "cached_input_tokens": 0,
                "cache_write_tokens": None,
                "reasoning_tokens": None,
                "context_tokens": 5,
                "cost_usd": None,
            },
            "logprobs": None,
            "turns": None,
        }
    )


@pytest.mark.rule("streaming-2.12")
def test_an_answer_tells_of_compactions_in_their_place() -> None:
    said = [view(Answered(text="1")), view(Summarised(envelope="{}")), view(Answered(text="2"))]
    compacted = outcome(*said, compactions=(COMPACTING,))
    made = answer(compacted, Lens(summaries=True))
    assert [one["message_type"] for one in made["messages"]] == [
        "assistant_message",
        "event_message",
        "summary_message",
        "assistant_message",
    ]
    plain = answer(compacted, Lens())
    assert "event_message" not in {one["message_type"] for one in plain["messages"]}
