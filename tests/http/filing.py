"""Agents with something of everything, and how they are filed and brought back."""

import base64
import itertools
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from eunoe import ids
from eunoe.domain.messages import (
    ClientReturn,
    Decision,
    Image,
    Json,
    Message,
    OmittedReasoning,
    Reasoning,
    RedactedReasoning,
    SummarizedReasoning,
    Text,
    ToolCall,
    ToolReturn,
)
from eunoe.store import lists, search
from eunoe.store.db import Actor
from tests.fixtures.apis import Api

ACTOR: Final = Actor()
BEGINNING: Final = datetime(2025, 3, 1, 9, 30, 15, 123456, tzinfo=UTC)
PIXEL: Final = base64.b64encode(b"\x89PNG tiny").decode()
_STAMP: Final = "2025-03-01 10:30:15 AM UTC+0000"


async def exported(api: Api, agent_id: str, **asked: Any) -> str:
    reply = await api.sdk.get(f"/v1/agents/{agent_id}/export", params=asked)
    assert reply.status_code == 200, reply.text
    return reply.text


async def imported(api: Api, file: str | bytes, **form: Any) -> Json:
    reply = await sent(api, file, **form)
    assert reply.status_code == 200, reply.text
    made: Json = reply.json()
    return made


async def sent(api: Api, file: str | bytes, **form: Any) -> Any:
    headers = form.pop("headers", {})
    fields = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in form.items()
    }
    return await api.sdk.post(
        "/v1/agents/import", files={"file": ("agent.af", file)}, data=fields, headers=headers
    )


def without_time(file: str) -> str:
    """Return a file without when it was written, which alone differs from one to the next."""
    lines = file.splitlines()
    written = [at for at, line in enumerate(lines) if line.startswith('  "created_at": ')]
    assert len(written) == 1
    return "\n".join(lines[: written[0]] + lines[written[0] + 1 :])


async def talk(api: Api, agent: Json, list_id: str | None = None, *, turns: int = 20) -> None:
    """Let there have been `turns` in a list, of all roles and kinds of content."""
    where = list_id or agent["id"]
    made = list(itertools.chain.from_iterable(_turn(agent, where, at) for at in range(turns)))
    async with api.db.write(ACTOR) as tx:
        await search.index_messages(tx, made, await lists.append(tx, where, made))


def _turn(agent: Json, list_id: str, number: int) -> Iterator[Message]:
    speaks_to_loop = agent["agent_type"] not in {"letta_v1_agent", "sleeptime_agent"}
    conversation_id = list_id if list_id.startswith("conv-") else None
    clock = itertools.count()

    def message(**fields: Any) -> Message:
        return Message(
            id=ids.new("message"),
            agent_id=agent["id"],
            conversation_id=conversation_id,
            created_at=BEGINNING + timedelta(hours=number, seconds=next(clock)),
            **fields,
        )

    def call(name: str, arguments: Json, at: int) -> ToolCall:
        text = json.dumps(arguments)
        call_id = f"call_{number}_{at}"
        if not speaks_to_loop:
            return ToolCall(id=call_id, name=name, arguments=text)
        thought = 'A thought, with "quotes"' if at else None
        return ToolCall(id=call_id, name=name, arguments=text, heartbeat=bool(at), thinking=thought)

    def beside(text: str) -> Reasoning | Text:
        return Reasoning(text=text, native=False) if speaks_to_loop else Text(text=text)

    yield message(
        role="user",
        content=(
            Text(text=f"Look at this, {number}: café ☕"),
            Image(media_type="image/png", data=PIXEL),
        ),
        otid=ids.new("message"),
        name="Ada",
    )
    yield message(
        role="assistant",
        model="gpt-4o-mini",
        content=(
            Reasoning(text="Hm.", signature="sig"),
            RedactedReasoning(data="xyz"),
            OmittedReasoning(),
            SummarizedReasoning(id="rs_1", summary=("one", "two"), encrypted="abc"),
            beside("I look it up."),
        ),
        calls=(call("web", {"q": "x", "n": 1}, 0), call("draw", {}, 1), call("gauge", {}, 2)),
    )
    yield message(
        role="tool",
        returns=(
            ToolReturn(call_id=f"call_{number}_0", name="web", ok=True, output='{"a": "text"}', time=_STAMP),
            ToolReturn(call_id=f"call_{number}_1", name="draw", ok=False, output="It broke.", time=_STAMP, stderr=("Traceback",)),
            ToolReturn(call_id=f"call_{number}_2", name="gauge", ok=True, output={"t": [1, {"u": None}]}, time=_STAMP, stdout=("x",)),
        ),
    )  # fmt: skip
    yield message(role="assistant", content=(beside("One moment."),), calls=(call("shot", {}, 3),))
    yield message(
        role="tool",
        returns=(
            ToolReturn(
                call_id=f"call_{number}_3",
                name="shot",
                ok=True,
                output="Here\n[Image]",
                time=_STAMP,
                parts=(Text(text="Here"), Image(media_type="image/png", data=PIXEL, detail="low")),
            ),
        ),
    )
    asked = message(
        role="approval", calls=(call("wipe_disk", {"all": True}, 4), call("pick", {}, 5))
    )
    yield asked
    yield message(
        role="approval",
        request_id=asked.id,
        approvals=(
            Decision(call_id=f"call_{number}_4", approve=False, reason="No."),
            ClientReturn(call_id=f"call_{number}_5", ok=True, output="blue", stdout=("b",)),
        ),
    )
    yield message(role="system", content=(Text(text='{"type": "system_alert", "message": "x"}'),))
    yield message(
        role="summary", content=(Text(text='{"type": "system_alert", "message": "So far."}'),)
    )
    yield message(role="assistant", content=(Text(text=f"Done with {number}."),))
