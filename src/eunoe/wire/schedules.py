"""Schedules of an agent as the wire has them (api 25.1)."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, Tag, model_validator
from typing_extensions import TypedDict

from eunoe.domain.inputs import Ask, InputMessage
from eunoe.domain.messages import Json, Text
from eunoe.domain.schedules import Once, Recurring, Schedule, When
from eunoe.wire.content import FetchImage, part_bodies
from eunoe.wire.sends import LettaAsyncRequest, MessageCreate, inputs_of, items_of, options_of
from eunoe.wire.shape import Shape
from eunoe.wire.times import optional_entity_time

# Times below are seconds, those above milliseconds: 10^11 seconds are past the year 5000.
_SECONDS: Final = 1e11
_LATEST: Final = 253_402_300_799_000
"""The end of the year 9999, in milliseconds."""


class OneTime(Shape):
    type: Literal["one-time"] | None = "one-time"
    scheduled_at: float = Field(
        ge=0, le=_LATEST, description="In milliseconds since 1970; small numbers count as seconds."
    )


class RecurringTimes(Shape):
    type: Literal["recurring"]
    cron_expression: str = Field(max_length=200, description="Five fields, in the time zone.")
    timezone: str = "UTC"


def _kind(value: object) -> str:
    recurring = isinstance(value, dict) and value.get("type") == "recurring"  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] -- any JSON
    return "recurring" if recurring else "one-time"


Times: TypeAlias = Annotated[
    Annotated[OneTime, Tag("one-time")] | Annotated[RecurringTimes, Tag("recurring")],
    Discriminator(_kind),
]


class ScheduleRequest(LettaAsyncRequest):
    """A send, and when it is to be made."""

    schedule: Times

    @model_validator(mode="after")
    def _check_messages(self) -> Self:
        if any(not isinstance(item, MessageCreate) for item in self.messages or []):
            raise ValueError("Only messages can be scheduled, not answers to calls that wait.")
        return self

    def when(self) -> When:
        match self.schedule:
            case OneTime(scheduled_at=at):
                return Once(at=datetime.fromtimestamp(at if at < _SECONDS else at / 1_000, UTC))
            case RecurringTimes():
                return Recurring(
                    cron=self.schedule.cron_expression, timezone=self.schedule.timezone
                )

    async def ask(self, *, fetch: FetchImage) -> Ask:
        """Return what is to be asked; raise `Invalid` for an image that cannot be had."""
        options = options_of(self, stream_tokens=False, callback_url=self.callback_url)
        return Ask(messages=await inputs_of(items_of(self), fetch=fetch), options=options)


class ScheduleCreated(TypedDict):
    id: str
    next_scheduled_at: str | None


class ScheduledMessage(TypedDict):
    """`last_run_at` and `last_run_id` tell of the newest run that was made of it."""

    id: str
    agent_id: str
    message: Json
    next_scheduled_time: str | None
    last_run_at: str | None
    last_run_id: str | None
    schedule: Json


class ScheduleList(TypedDict):
    has_next_page: bool
    scheduled_messages: list[ScheduledMessage]


class ScheduleDeleted(TypedDict):
    success: Literal[True]


def created(one: Schedule) -> ScheduleCreated:
    return {"id": one.id, "next_scheduled_at": optional_entity_time(one.next_at)}


def shown(one: Schedule) -> ScheduledMessage:
    options = one.ask.options
    types = options.return_types
    return {
        "id": one.id,
        "agent_id": one.agent_id,
        "message": {
            "messages": [_message(message) for message in one.ask.messages],
            "callback_url": options.callback_url,
            "include_return_message_types": None if types is None else list(types),
            "max_steps": options.max_steps,
        },
        "next_scheduled_time": optional_entity_time(one.next_at),
        "last_run_at": optional_entity_time(one.last_at),
        "last_run_id": one.last_run_id,
        "schedule": _times(one.when),
    }


def _times(when: When) -> Json:
    match when:
        case Once(at=at):
            return {"type": "one-time", "scheduled_at": int(at.timestamp() * 1_000)}
        case Recurring():
            return {"type": "recurring", "cron_expression": when.cron, "timezone": when.timezone}


def _message(said: InputMessage) -> Json:
    parts = said.content
    alone = parts[0].text if len(parts) == 1 and isinstance(parts[0], Text) else None
    return {
        "type": "message",
        "role": said.role,
        "content": list(part_bodies(parts)) if alone is None else alone,
        "name": said.name,
        "otid": said.otid,
        "sender_id": said.sender_id,
    }
