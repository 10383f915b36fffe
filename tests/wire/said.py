"""Messages and views to show, at fixed ids and times."""

from datetime import UTC, datetime

from eunoe.domain.messages import Message, Part, Role, Text, ToolCall, ToolReturn
from eunoe.domain.views import Body, View
from eunoe.ids import part_otid

AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
MESSAGE = "message-00000000-0000-4000-8000-0000000000ff"
AGENT = "agent-00000000-0000-4000-8000-000000000001"
RUN = "run-00000000-0000-4000-8000-000000000002"
STEP = "step-00000000-0000-4000-8000-000000000003"


def view(body: Body, *, part: int = 0) -> View:
    return View(
        message_id=MESSAGE,
        otid=part_otid(MESSAGE, part),
        at=AT,
        body=body,
        step_id=STEP,
        run_id=RUN,
    )


def message(
    role: Role,
    *content: Part | str,
    calls: tuple[ToolCall, ...] = (),
    returns: tuple[ToolReturn, ...] = (),
) -> Message:
    return Message(
        id=MESSAGE,
        role=role,
        agent_id=AGENT,
        created_at=AT,
        content=tuple(Text(text=part) if isinstance(part, str) else part for part in content),
        calls=calls,
        returns=returns,
        otid="given-by-the-client" if role in ("user", "system") else None,
        step_id=STEP,
        run_id=RUN,
    )


def call(name: str, arguments: str = "{}", *, id_: str = "call_1") -> ToolCall:
    return ToolCall(id=id_, name=name, arguments=arguments)


def returned(
    name: str, output: str | dict[str, object] = "done", *, ok: bool = True, id_: str = "call_1"
) -> ToolReturn:
    return ToolReturn(call_id=id_, name=name, ok=ok, output=output, time="2026-01-02")
