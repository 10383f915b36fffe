"""What a run spent its time on."""

from dataclasses import replace
from datetime import UTC, datetime

from eunoe.domain.runs import Run, Step
from eunoe.domain.spans import spans_of, trace_id_of
from eunoe.ids import new

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_RUN = Run(id=new("run"), agent_id=new("agent"), list_id=new("agent"), created_at=_AT)
_STEP = Step(id=new("step"), run_id=_RUN.id, agent_id=_RUN.agent_id, created_at=_AT)


def test_what_did_not_take_place_has_no_span() -> None:
    (whole,) = spans_of(_RUN, [_STEP], [])
    assert whole.duration_ns is None
    begun = replace(_STEP, started_ns=whole.started_ns + 5, status="failed")
    _, step = spans_of(_RUN, [begun], [])
    assert (step.parent_id, step.failed, step.duration_ns) == (whole.id, True, None)


def test_tools_are_the_last_of_a_step() -> None:
    done = replace(_STEP, started_ns=1_000, llm_started_ns=1_100, llm_ns=300, tools_ns=400)
    _, step, asked, tools = spans_of(_RUN, [replace(done, total_ns=900)], [])
    assert (asked.started_ns, asked.duration_ns) == (1_100, 300)
    assert (tools.started_ns, tools.duration_ns) == (1_500, 400)
    assert asked.parent_id == tools.parent_id == step.id
    assert len({step.id, asked.id, tools.id}) == 3


def test_the_trace_is_the_one_that_a_collector_knows() -> None:
    assert trace_id_of(_RUN, [_STEP, replace(_STEP, trace_id="0af7")]) == "0af7"
    made = trace_id_of(_RUN, [_STEP])
    assert (len(made), made) == (32, _RUN.id.removeprefix("run-").replace("-", ""))
