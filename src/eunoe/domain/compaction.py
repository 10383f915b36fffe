"""When a window is too full, and which of its messages make room (6.3, 6.5). Pure choice.

Nothing is chosen that would part a call from its answer, that waits for an
approval, or that the model has yet to answer.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from eunoe.domain.approvals import asks, goes_on
from eunoe.domain.messages import Message

TRIGGER_SHARE: Final = 0.9
SHARE_STEP: Final = 0.1
_LEGACY_SUMMARY: Final = "The following is a summary of the previous "


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What goes and what stays, each in order; the system message is in neither."""

    evicted: tuple[Message, ...]
    kept: tuple[Message, ...]


def trigger_tokens(context_window: int) -> int:
    """Return the size above which a window is compacted, both in tokens (C6)."""
    return int(context_window * TRIGGER_SHARE)


def is_full(estimate: int | None, *, context_window: int) -> bool:
    """Whether a window of about `estimate` tokens is to be compacted; an unknown one is not."""
    return estimate is not None and estimate > trigger_tokens(context_window)


def is_summary(message: Message) -> bool:
    """Whether `message` stands for evicted ones, by its role or by its words (FIX-45)."""
    if message.role == "summary":
        return True
    return message.role == "user" and any(
        part.type == "text" and _LEGACY_SUMMARY in part.text for part in message.content
    )


def everything(messages: Sequence[Message], *, keep_from: str | None) -> Choice:
    """Choose all messages but those that must stay (C11, C13, FIX-47)."""
    return _choice(messages, upto=len(messages), keep_from=keep_from)


def oldest(
    messages: Sequence[Message],
    *,
    keep_from: str | None,
    share: float,
    fits: Callable[[Sequence[Message]], bool],
) -> Choice | None:
    """Choose the oldest messages until what is kept `fits` (C12); null where no cut does.

    The first cut takes `share` of the messages (FIX-46), each further one a tenth
    more. A cut lies at an assistant message, at or before its share, and takes two
    messages at least, since a summary comes in their place.
    """
    cuts = _cuts(messages)
    rounds = 0
    while (part := share + rounds * SHARE_STEP) < 1.0:
        rounds += 1
        wanted = round(part * len(messages))
        at = max((cut for cut in cuts if cut <= wanted), default=0)
        if at >= len(messages) - 1:
            return None
        choice = _choice(messages, upto=at, keep_from=keep_from)
        if len(choice.evicted) > 1 and fits(choice.kept):
            return choice
    return None


def _choice(messages: Sequence[Message], *, upto: int, keep_from: str | None) -> Choice:
    pinned = _pinned(messages, keep_from=keep_from)
    gone = {at for at in range(upto) if at not in pinned}
    return Choice(
        evicted=tuple(m for at, m in enumerate(messages) if at in gone),
        kept=tuple(m for at, m in enumerate(messages) if at not in gone),
    )


def _cuts(messages: Sequence[Message]) -> list[int]:
    """Return the places before which the window may be cut, the very beginning excluded."""
    answered = _answer_places(messages)
    cuts: list[int] = []
    open_until = -1
    for at, message in enumerate(messages):
        if at > 0 and at > open_until and _opens(messages, at):
            cuts.append(at)
        open_until = max([open_until, *(answered.get((at, call.id), at) for call in message.calls)])
    return cuts


def _opens(messages: Sequence[Message], at: int) -> bool:
    """Whether an assistant's turn begins at `at`: an approval request may belong to the last."""
    message = messages[at]
    if asks(message):
        return not goes_on(messages[at - 1], message)
    return message.role == "assistant"


def _pinned(messages: Sequence[Message], *, keep_from: str | None) -> set[int]:
    """Return the places of the messages that must stay."""
    pinned = set(_input(messages, keep_from=keep_from))
    answered = _answer_places(messages)
    for at, message in enumerate(messages):
        if any((at, call.id) not in answered for call in message.calls) and _is_last(messages, at):
            pinned.add(at)
            if at > 0 and goes_on(messages[at - 1], message):
                pinned.add(at - 1)
    return _with_partners(messages, pinned, answered)


def _is_last(messages: Sequence[Message], at: int) -> bool:
    """Whether no assistant speaks after `at`: calls left open further back are past help."""
    return not any(_opens(messages, later) for later in range(at + 1, len(messages)))


def _input(messages: Sequence[Message], *, keep_from: str | None) -> Iterable[int]:
    """Return the places of the input that the model is still working on.

    It begins at `keep_from` and ends where an assistant speaks. Once the last word
    is an assistant's and calls nothing, the input is answered and is history.
    """
    start = next((at for at, m in enumerate(messages) if m.id == keep_from), None)
    if start is None or (messages[-1].role == "assistant" and not messages[-1].calls):
        return ()
    end = start
    while end < len(messages) and not (messages[end].role == "assistant" or messages[end].calls):
        end += 1
    return range(start, max(end, start + 1))


def _with_partners(
    messages: Sequence[Message], pinned: set[int], answered: dict[tuple[int, str], int]
) -> set[int]:
    """Return `pinned` with every call whose answer is in it, and every answer to a call in it."""
    grown = set(pinned)
    while True:
        more = {
            place
            for (caller, _), answer in answered.items()
            if caller in grown or answer in grown
            for place in (caller, answer)
        }
        if more <= grown:
            return grown
        grown |= more


def _answer_places(messages: Sequence[Message]) -> dict[tuple[int, str], int]:
    """Map each call, by its message's place and its id, to the place of its first return."""
    callers: dict[str, int] = {}
    found: dict[tuple[int, str], int] = {}
    for at, message in enumerate(messages):
        callers.update({call.id: at for call in message.calls})
        for result in message.returns:
            if result.call_id in callers:
                found.setdefault((callers[result.call_id], result.call_id), at)
    return found
