"""What is said to an agent: by a caller now, or kept until it is time to say it."""

from dataclasses import dataclass
from typing import Literal

from eunoe.domain.messages import Answer, Part
from eunoe.domain.runs import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class InputMessage:
    role: Literal["user", "system", "assistant"]
    content: tuple[Part, ...]
    otid: str
    name: str | None = None
    sender_id: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a client answers to the calls that wait; `otid` and `group_id` as of any message."""

    given: tuple[Answer, ...]
    otid: str | None = None
    group_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A whole request to an agent that is kept; `answers`, if any, come before the messages."""

    messages: tuple[InputMessage, ...]
    answers: Answers | None = None
    options: RunOptions
