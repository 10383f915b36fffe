"""What an agent says in a run, told in the form of another API: text alone, then how it ended.

Whatever shows speech as an `assistant_message` shows it here too, so that agents which
speak through a tool and agents which speak in text look the same to these callers.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from eunoe.domain.events import Compacting, Ended, Failed, RunEvent, Shown, Started, Stopped, Used
from eunoe.domain.messages import Json
from eunoe.domain.runs import StopReason, status_of
from eunoe.domain.views import Asked, CallFragment, View
from eunoe.errors import BudgetSpent, EunoeError, ModelReplyInvalid, RunCancelled
from eunoe.wire.messages import Lens, bodies


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """A piece of what is said; pieces of one `part` belong to one paragraph."""

    part: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """How a run ended; `problem` is null where what was said is an answer, cut or whole."""

    reason: StopReason
    used: Used | None
    problem: Failed | None

    @property
    def cut(self) -> bool:
        """Whether the model ran out of room before it was done."""
        return self.reason == "max_tokens_exceeded"


class Teller(Protocol):
    """One API's form of telling; each deed returns the bodies of its frames."""

    def opened(self) -> list[Json]: ...

    def said(self, speech: Speech) -> list[Json]: ...

    def closed(self, close: Close) -> list[Json]: ...


def heard(view: View, lens: Lens) -> Iterator[Speech]:
    """Yield what is said aloud in one view; thoughts, calls and their returns are not.

    That a call waits for a person is told for the agent: an answer of nothing would not say so.
    """
    match view.body:
        case Asked(calls=calls):
            yield from (_waiting(call.id, call.name) for call in calls)
        case CallFragment(call_id=call_id, name=str(name), asks=True):
            yield _waiting(call_id, name)
        case _:
            for body in bodies(view, replace(lens, types=frozenset({"assistant_message"}))):
                yield Speech(part=str(body["otid"] or body["id"]), text=str(body["content"]))


def _waiting(call_id: str, tool: str) -> Speech:
    return Speech(part=call_id, text=f"[{tool} waits for an approval, which cannot be given here.]")


def paragraphs(seen: Iterable[View], lens: Lens) -> list[Speech]:
    """Return all that was said, fragments of one part joined."""
    found: dict[str, list[str]] = {}
    for view in seen:
        for one in heard(view, lens):
            found.setdefault(one.part, []).append(one.text)
    return [Speech(part=part, text="".join(texts)) for part, texts in found.items()]


def close_of(
    run_id: str, *, reason: StopReason, used: Used | None = None, failed: Failed | None = None
) -> Close:
    """Return how the run ended as a caller sees it that knows only answers and errors."""
    answered = status_of(reason) == "completed" or reason == "max_tokens_exceeded"
    if failed is None and not answered:
        failed = _failure(run_id, reason)
    return Close(reason=reason, used=used, problem=failed)


def _failure(run_id: str, reason: StopReason) -> Failed:
    if reason == "cancelled":
        return _failed(run_id, RunCancelled(), error_type="cancelled")
    if reason == "insufficient_credits":
        return _failed(run_id, BudgetSpent(), error_type=reason)
    error = ModelReplyInvalid(f"The run ended without an answer: {reason}.")
    return _failed(run_id, error, error_type="llm_error")


def _failed(run_id: str, error: EunoeError, *, error_type: str) -> Failed:
    return Failed(run_id=run_id, error_type=error_type, code=error.code, message=str(error))


class Retelling:
    """A run's events as a teller tells them, in the order in which they come."""

    def __init__(self, teller: Teller, *, run_id: str, lens: Lens) -> None:
        self._teller = teller
        self._run_id = run_id
        self._lens = lens
        self._reason: StopReason = "error"
        self._used: Used | None = None
        self._failed: Failed | None = None

    def told(self, event: RunEvent) -> list[Json]:
        """Return the bodies that `event` makes; how the run ended is told once it has."""
        match event:
            case Started():
                return self._teller.opened()
            case Shown(view=view):
                return [
                    body for speech in heard(view, self._lens) for body in self._teller.said(speech)
                ]
            case Stopped(reason=reason):
                self._reason = reason
            case Used():
                self._used = event
            case Failed():
                self._failed = event
            case Compacting():
                pass
            case Ended():
                close = close_of(
                    self._run_id, reason=self._reason, used=self._used, failed=self._failed
                )
                return self._teller.closed(close)
            case _:
                assert_never(event)
        return []

    def broken(self, error: EunoeError) -> list[Json]:
        """Return the end of a reading that failed, whatever becomes of the run."""
        problem = _failed(self._run_id, error, error_type="stream_incomplete")
        return self._teller.closed(Close(reason="error", used=None, problem=problem))
