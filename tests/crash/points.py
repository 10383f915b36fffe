"""The places where a run can be when its server fails (streaming 10.3), and agents that come to them.

F4, F5 and F8 are outside of the server: the model stops in the middle of its reply, the tool in
its work. All others are gates before or after what the server calls, so every point is exact,
some of them inside of a transaction that is open. A random moment is what `ANYWHERE` stands for.
"""

import random
import uuid
from dataclasses import dataclass
from typing import Any, Final, Literal

import orjson

from eunoe.domain.messages import Json
from eunoe.store.db import Dialect
from tests.crash.gates import ANYBODY, Hold
from tests.crash.load import ENTRIES, Clients, Entry, Turn

Fault = Literal["kill", "stop", "cut", "pause"]
FAULTS: Final[dict[Dialect, tuple[Fault, ...]]] = {
    "sqlite": ("kill", "stop", "cut"),
    "postgresql": ("kill", "stop", "cut", "pause"),
}
"""Killed, asked to stop, without its database, or paused while another takes its runs over.

An SQLite file that is locked by somebody else is lost for a while; no other process serves it."""
Saying = Literal["words", "call", "calls", "much", "approval"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """`places` are those that one of is chosen from; `inside` is one in an open transaction."""

    name: str
    places: tuple[str, ...] = ()
    inside: str | None = None
    chunks: int = 0
    saying: Saying = "call"
    again: bool = False
    """Whether there is to be another fault, when the next owner begins."""


POINTS: Final = (
    Point(name="F1 before its row", inside="before:runs.insert"),
    Point(name="F2 after its row", inside="after:runs.insert"),
    Point(name="F3 after its input", places=("before:enqueued",)),
    Point(name="F4 first token", places=("reply",), chunks=1, saying="words"),
    Point(name="F5 in a reply", places=("reply",), chunks=5, saying="words"),
    Point(name="F6 after a reply", places=("before:answered",), inside="before:runs.advance"),
    Point(
        name="F7 call on record", places=("after:calls_started",), inside="after:runs.call_started"
    ),
    Point(name="F8 in a call", places=("before:tool", "after:tool"), saying="calls"),
    Point(
        name="F9 after a call",
        places=("before:call_ended", "before:settled"),
        inside="before:runs.calls_settled",
        saying="calls",
    ),
    Point(name="F10 step stored", places=("before:begin",), saying="calls"),
    Point(name="F11 compaction", places=("before:compacted",), saying="much"),
    Point(name="F12 approval", places=("before:enqueued", "after:runs.insert"), saying="approval"),
    Point(name="F13 end stored", places=("before:begin",), saying="words"),
    Point(name="F14 callback", places=("before:carry_out",), saying="words"),
    Point(
        name="F15 recovery", places=("reply",), inside="after:runs.advance", chunks=3, again=True
    ),
)
ANYWHERE: Final = Point(name="anywhere", saying="calls")
_CAREFUL: Final[Json] = {"type": "requires_approval", "tool_name": "append_counter"}
_FILLER: Final = "and so on and so forth " * 330
"""Twice as much is more than the window of a small model holds."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """A turn and where it is held; `again` is where its next owner is."""

    point: Point
    turn: Turn
    hold: Hold | None = None
    again: Hold | None = None

    @property
    def in_transaction(self) -> bool:
        return self.hold is not None and self.hold.place in _INSIDE


_INSIDE: Final = frozenset(
    [*(point.inside for point in POINTS if point.inside is not None), "after:runs.insert"]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """Agents that are struck by one fault, each at a point and through an entrance of its own."""

    number: int
    dialect: Dialect
    fault: Fault
    chance: random.Random
    clients: Clients
    receiver: str
    """Where callbacks go to."""

    @property
    def points(self) -> list[Point]:
        """The points of a lot. One SQLite file has one open transaction, and none while locked."""
        if self.dialect == "postgresql":
            return list(POINTS)
        here = None if self.fault == "cut" else self.number % 2
        return [point for place, point in enumerate(POINTS) if place > 1 or place == here]

    async def case(self, point: Point) -> Case:
        """Make the agent of a point, and hold it there; its turn is yet to be sent."""
        place = self._place(point)
        entry = self._entry(point)
        # Only of several calls each is on record when it ends, and heartbeats make one at a time.
        plain = point.saying == "much" or place == "before:call_ended"
        heartbeats = self.chance.randrange(3) == 0 and not plain
        otid = (
            self.chance.getrandbits(128)
            if self.chance.randrange(2) or self.fault == "pause"
            else None
        )
        label = f"lot {self.number}, {self.fault}, {point.name} ({place}), {entry}"
        agent = await self.clients.made("/v1/agents/", self._agent(point, entry, heartbeats))
        agent_id: str = agent["id"]
        list_id = agent_id
        if entry == "conversation":
            path = f"/v1/conversations/?agent_id={agent_id}"
            list_id = (await self.clients.made(path, {}))["id"]
        said, lines = _said(point.saying, f"{agent_id}:1", several=not heartbeats)
        item: Json = {"role": "user", "content": said}
        if point.saying == "approval":
            item = await self._request(agent_id, list_id, item)
        if point.saying == "much":
            await self._told(agent_id, list_id, item | {"content": f"SAY so much\n{_FILLER}"})
        if otid is not None:
            item["otid"] = str(uuid.UUID(int=otid))
        turn = Turn(
            label=f"{label}, {agent_id}",
            agent_id=agent_id,
            entry=entry,
            item=item,
            list_id=list_id,
            lines=lines,
            callback_url=self.receiver if "F14" in point.name else None,
        )
        return self._held(point, place, turn)

    def _held(self, point: Point, place: str, turn: Turn) -> Case:
        if not place:
            return Case(point=point, turn=turn)
        gates = self.clients.servers.gates
        who = ANYBODY if "F14" in point.name else turn.agent_id
        again = Hold(place="before:prepared", who=who, owner=2) if point.again else None
        return Case(
            point=point,
            turn=turn,
            hold=gates.hold(Hold(place=place, who=who, chunks=point.chunks)),
            again=again and gates.hold(again),
        )

    def _place(self, point: Point) -> str:
        """Choose where to hold: a transaction that is cut is what loses its database."""
        places = list(point.places)
        if point.saying == "approval" and (self.dialect == "sqlite" or self.fault == "pause"):
            places = places[:1]
        if point.inside is not None and (
            not places
            or (self.dialect == "postgresql" and self.fault == "cut")
            or (self.dialect == "postgresql" and self.fault == "kill" and self.number % 2)
        ):
            places = [point.inside]
        return self.chance.choice(places) if places else ""

    def _entry(self, point: Point) -> Entry:
        if "F14" in point.name:
            return "async"  # The one that takes a URL.
        place = POINTS.index(point) if point in POINTS else self.chance.randrange(len(ENTRIES))
        entry = ENTRIES[(place + self.number) % len(ENTRIES)]
        # OpenAI's API has no answers to requests for approval.
        return "blocking" if entry == "openai" and point.saying == "approval" else entry

    def _agent(self, point: Point, entry: Entry, heartbeats: bool) -> Json:
        body: Json = {
            "name": "Ada",
            "agent_type": "letta_v1_agent",
            "model": "openai/scripted-1",
            "model_settings": {"provider_type": "openai", "parallel_tool_calls": True},
            "tools": ["append_counter", "memory_insert", "conversation_search"],
            "include_base_tools": False,
            "memory_blocks": [{"label": "human", "value": "Bob"}],
        }
        if point.saying == "much":
            compaction = {"mode": "all"}
            body |= {"model": "openai/scripted-4k", "compaction_settings": compaction}
            body["context_window_limit"] = 4_096
        if point.saying == "approval":
            body["tool_rules"] = [_CAREFUL]
        if heartbeats:
            tools = [*body["tools"], "send_message"]
            body |= {"agent_type": "memgpt_agent", "tools": tools, "initial_message_sequence": []}
        elif "F13" in point.name and entry not in {"conversation", "openai"}:
            body["enable_sleeptime"] = True
        return body

    async def _request(self, agent_id: str, list_id: str, item: Json) -> Json:
        """Have the agent ask for approvals; return the item that gives the first and no other."""
        asked = await self._told(agent_id, list_id, item)
        assert asked["stop_reason"]["stop_reason"] == "requires_approval", asked
        (request,) = (
            one for one in asked["messages"] if one["message_type"] == "approval_request_message"
        )
        calls: list[Json] = request["tool_calls"]
        answers = [
            {"type": "approval", "tool_call_id": call["tool_call_id"], "approve": not place}
            for place, call in enumerate(calls)
        ]
        return {"type": "approval", "approvals": answers}

    async def _told(self, agent_id: str, list_id: str, item: Json) -> Json:
        kind = "agents" if list_id == agent_id else "conversations"
        body: Json = {"messages": [item], "streaming": False}
        return await self.clients.made(f"/v1/{kind}/{list_id}/messages", body)


def _said(saying: Saying, name: str, *, several: bool) -> tuple[str, tuple[str, ...]]:
    """Return what is said to an agent, and the lines that its calls count."""
    match saying:
        case "words":
            return f"{name} SAY {' '.join(f'w{place}' for place in range(20))}", ()
        case "much":
            return f"{name} SAY enough\n{_FILLER}", ()
        case "calls" if several:
            lines = tuple(f"{name}.{place}" for place in range(3))
            calls: list[Json] = [
                {"name": "append_counter", "arguments": {"line": line}} for line in lines
            ]
            insert = {"label": "human", "new_str": name}
            calls.append({"name": "memory_insert", "arguments": insert})
            return f"{name} CALLS {_json(calls)}", lines
        case "approval" if several:
            asked = [
                {"name": "append_counter", "arguments": {"line": f"{name}{end}"}}
                for end in (".yes", ".no")
            ]
            return f"{name} CALLS {_json(asked)}", (f"{name}.yes",)
        case "call" | "calls" | "approval":
            return f"{name} CALL append_counter {_json({'line': name})}", (name,)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
