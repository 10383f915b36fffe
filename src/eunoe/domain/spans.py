"""What a run spent its time on, as spans read off its journal: there is no collector to ask."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from eunoe.domain.messages import Message
from eunoe.domain.runs import Run, Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """`id` has 16 hexadecimal digits; `duration_ns` is null for what has not ended."""

    id: str
    parent_id: str | None
    name: str
    started_ns: int
    duration_ns: int | None
    failed: bool = False
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])


def trace_id_of(run: Run, steps: Sequence[Step]) -> str:
    """Return the trace that a collector knows the run by, else one made of the run's own id."""
    return next((step.trace_id for step in steps if step.trace_id), _digits(run.id))


def spans_of(run: Run, steps: Sequence[Step], messages: Sequence[Message]) -> list[Span]:
    """Return the run's span, then each step's with its model call's and its tools' (api 19.2).

    `steps` and `messages` are the run's, oldest first. What did not take place has no span.
    """
    calls = {one.step_id: tuple(call.name for call in one.calls) for one in messages if one.calls}
    whole = Span(
        id=_digits(run.id)[:16],
        parent_id=None,
        name="run",
        started_ns=run.started_ns,
        duration_ns=run.total_duration_ns,
        failed=run.status == "failed",
        attributes={"run_id": run.id, "agent_id": run.agent_id, "stop_reason": run.stop_reason},
    )
    found = [whole]
    for step in steps:
        found += _of_step(step, calls.get(step.id, ()), parent=whole.id)
    return found


def _of_step(step: Step, tools: Sequence[str], *, parent: str) -> Iterator[Span]:
    if step.started_ns is None:
        return
    digits = _digits(step.id)
    yield Span(
        id=digits[:16],
        parent_id=parent,
        name="agent_step",
        started_ns=step.started_ns,
        duration_ns=step.total_ns,
        failed=step.status == "failed",
        attributes={"step_id": step.id, "status": step.status, "error_type": step.error_type},
    )
    if step.llm_started_ns is not None:
        yield Span(
            id=_numbered(digits, 1),
            parent_id=digits[:16],
            name="llm_request",
            started_ns=step.llm_started_ns,
            duration_ns=step.llm_ns,
            attributes={
                "model": step.model_handle,
                "prompt_tokens": step.usage.prompt_tokens,
                "completion_tokens": step.usage.completion_tokens,
            },
        )
    if step.tools_ns is not None and step.total_ns is not None:
        yield Span(
            id=_numbered(digits, 2),
            parent_id=digits[:16],
            name="tool_execution",
            # The tools are the last that a step does.
            started_ns=step.started_ns + step.total_ns - step.tools_ns,
            duration_ns=step.tools_ns,
            attributes={"tools": tools},
        )


def _digits(known_id: str) -> str:
    """Return the 32 hexadecimal digits of an id."""
    return known_id.partition("-")[2].replace("-", "")


def _numbered(digits: str, part: int) -> str:
    """Return the id of a part: in place of the version, 4 in all ids, it has its number."""
    return f"{digits[:12]}{part}{digits[13:16]}"
