"""What agents say to each other: how a message is announced, and what of an answer counts."""

from collections.abc import Iterable
from typing import Final

from eunoe.domain.heartbeats import MESSAGE, SEND_MESSAGE
from eunoe.domain.messages import ToolCall
from eunoe.domain.sieve import value_of
from eunoe.domain.views import Answered, Called, View

MOST_DEEP: Final = 8
"""How many agents may pass a matter on before somebody has to answer by itself."""
NO_RESPONSE: Final = "<no response>"


def announced(text: str, *, sender_id: str, sender: str, waits: bool) -> str:
    """Return `text` under a notice of who speaks and how an answer gets there (X41)."""
    if waits:
        how = (
            "It waits for you: what you answer now is handed to it word for word, so answer as "
            "usual and do not write to it with a tool."
        )
    else:
        how = (
            "It does not wait and will not see what you answer here. If it is to hear from you, "
            f"write to the agent {sender_id} with a tool that sends messages to agents."
        )
    return f"[This message comes from the agent {sender} ({sender_id}). {how}]\n\n{text}"


def answers(views: Iterable[View]) -> tuple[str, ...]:
    """Return what an agent said to whoever asked: its plain text, and what it sent by tool."""
    return tuple(text for view in views for text in _said(view) if text.strip())


def _said(view: View) -> list[str]:
    match view.body:
        case Answered(text=text):
            return [text]
        case Called(calls=calls):
            return [sent for call in calls if (sent := sent_text(call)) is not None]
        case _:
            return []


def sent_text(call: ToolCall) -> str | None:
    """Return what a call of the speaking tool says, as readers are shown it; else null."""
    return value_of(call.arguments, MESSAGE) or None if call.name == SEND_MESSAGE else None
