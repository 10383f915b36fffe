"""What an agent's rules make of one moment of its turn: tools on offer, calls that run, the end.

An agent without rules pays for none of it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.arguments import call_arguments, read_arguments
from eunoe.domain.block_set import Blocks
from eunoe.domain.call_policies import CallPolicy, deciding, foreseen
from eunoe.domain.envelopes import heartbeat_envelope
from eunoe.domain.guards import changes_guarded
from eunoe.domain.messages import Json, Message, Text, ToolCall
from eunoe.domain.prefilled import filled, prefills, problems
from eunoe.domain.runs import Run, Step
from eunoe.domain.tool_rules import (
    History,
    ToolRule,
    allowed,
    is_forced,
    named,
    refusal,
    rules_of,
    unmet_before_exit,
)
from eunoe.domain.tools import ToolResult, ToolSchema
from eunoe.engine.ports import ToolChoice, Window
from eunoe.errors import ToolArgumentsInvalid

_BY_ITSELF: Final = "`{name}` {why}, so it was not called from within code; call it by itself."


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """The `tools` that may be called now, of those `attached`, and whether one must be."""

    tools: tuple[ToolSchema, ...]
    attached: tuple[str, ...] = ()
    forced: bool = False
    rules: tuple[ToolRule, ...] = ()
    stored: tuple[Json, ...] = ()
    history: History = field(default_factory=History)
    client: frozenset[str] = frozenset()
    """The names of the tools that run on the client."""
    policies: tuple[CallPolicy, ...] = ()
    careful: frozenset[str] = frozenset()
    """The memory tools whose calls wait if they would change one of `blocks` that is guarded."""
    blocks: Blocks = ()

    def policy(self, call: ToolCall) -> CallPolicy | None:
        """Return the policy that decides a call, as it would be run."""
        if not self.policies:
            return None
        try:
            arguments = call_arguments(_filled(call, self)[1].arguments)
        except ToolArgumentsInvalid:
            arguments = None
        return deciding(self.policies, call.name, arguments)

    def asks(self, call: ToolCall) -> bool:
        """Whether a call waits for an answer (H1): a policy says so, or else the rules do.

        No policy allows a change of a block that a person guards; one can forbid it.
        """
        policy = self.policy(call)
        if (policy is None or policy.effect != "deny") and self._changes_guarded(call):
            return True
        if policy is None or (call.name in self.client and policy.effect == "allow"):
            return call.name in self.asking
        return policy.effect == "ask" and self._offers(call.name)

    def foreseen(self, name: str) -> bool | None:
        """Whether each call of a tool waits, null where that is for its arguments to say."""
        match foreseen(self.policies, name) if self.policies else None:
            case "unsure":
                return None
            case CallPolicy(effect="ask"):
                return self._offers(name)
            case CallPolicy(effect="deny"):
                return False
            case _ if name in self.careful and name not in self.asking:
                return None
            case CallPolicy(effect="allow") if name not in self.client:
                return False
            case _:
                return name in self.asking

    def barred(self, call: ToolCall) -> str | None:
        """Return why a call may not be made from within another, null where it may.

        What waits, or what a rule has in view, is called by itself: there it is seen and counted.
        """
        if call.name in self.client or self.asks(call):
            return _BY_ITSELF.format(name=call.name, why="waits for an answer")
        if denied := _denied(call, self):
            return denied
        kinds = {rule["type"] for rule in self.stored if rule["tool_name"] == call.name}
        if kinds - {"continue_loop", "requires_approval"}:
            return _BY_ITSELF.format(name=call.name, why="has a rule of its own")
        return None

    def _changes_guarded(self, call: ToolCall) -> bool:
        return call.name in self.careful and changes_guarded(_filled(call, self)[1], self.blocks)

    def _offers(self, name: str) -> bool:
        return any(tool.name == name for tool in self.tools)

    @property
    def asking(self) -> frozenset[str]:
        """The names of the tools whose calls wait for an answer (H1).

        A call that the rules forbid is turned away instead: nobody is asked about it.
        """
        careful = named(self.rules, "requires_approval") if self.rules else frozenset[str]()
        if not careful:
            return self.client
        return self.client | {tool.name for tool in self.tools if tool.name in careful}

    @property
    def choice(self) -> ToolChoice:
        """Free, or where a call is forced, of any tool on offer: of the only one by name (TR15)."""
        if not self.forced or not self.tools:
            return ToolChoice(mode="auto")
        only = self.tools[0].name if len(self.tools) == 1 else None
        return ToolChoice(mode="required", name=only)

    def ends(self, calls: Sequence[ToolCall]) -> bool:
        """Whether the turn is over once `calls` have run (L47, L48)."""
        if not self.rules:
            return False
        names = [call.name for call in calls]
        return not named(self.rules, "exit_loop").isdisjoint(names) and not self.unmet(names)

    def unmet(self, names: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the tools to be called before the turn may end, `names` having been just now."""
        called = (*self.history.called, *names)
        return unmet_before_exit(self.rules, attached=self.attached, called=called)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Calls with their prefilled arguments, and results, by id, of those that are not run.

    `spoilt`: a rule's arguments did not suit its tool, which ends the turn (L39).
    """

    calls: tuple[ToolCall, ...]
    refused: dict[str, ToolResult] = field(default_factory=dict[str, ToolResult])
    spoilt: bool = False


def ruling_of(
    agent: Agent,
    *,
    schemas: tuple[ToolSchema, ...],
    history: History,
    client_tools: tuple[ToolSchema, ...] = (),
) -> Ruling:
    """Return what the agent's rules say once the run has `history` (TR11, TR15).

    `client_tools` are on offer whatever the rules say, and hide others of their names (TR13).
    """
    client = frozenset(schema.name for schema in client_tools)
    if client:
        schemas = tuple(schema for schema in schemas if schema.name not in client)
    policies = () if agent.call_policies is None else agent.call_policies.policies
    if not agent.tool_rules:
        return Ruling(tools=schemas + client_tools, client=client, policies=policies)
    rules = rules_of(agent.tool_rules)
    attached = tuple(schema.name for schema in schemas)
    names = allowed(rules, attached=attached, history=history)
    return Ruling(
        tools=tuple(schema for schema in schemas if schema.name in names) + client_tools,
        client=client,
        attached=attached + tuple(schema.name for schema in client_tools),
        forced=is_forced(rules, history=history),
        rules=rules,
        stored=agent.tool_rules,
        history=history,
        policies=policies,
    )


def prepared(
    calls: Sequence[ToolCall],
    ruling: Ruling,
    *,
    answered: Mapping[str, ToolResult | None] | None = None,
) -> Prepared:
    """Return `calls` as the rules let them run, each judged by what was allowed before (TR8).

    `answered` maps calls that waited to what they have come to, null for one that is to be
    run, whatever the rules say by now (H13).
    """
    answered = answered or {}
    refused = {call_id: result for call_id, result in answered.items() if result is not None}
    if not ruling.rules and not ruling.policies:
        return Prepared(calls=tuple(calls), refused=refused)
    ready: list[ToolCall] = []
    spoilt = False
    for call in calls:
        if call.id in refused:
            ready.append(call)
            continue
        denied = None if call.id in answered else _denied(call, ruling)
        faults, full = ([], call) if denied else _filled(call, ruling)
        ready.append(full)
        if denied or faults:
            refused[call.id] = ToolResult(ok=False, output=denied or "; ".join(faults))
            spoilt = spoilt or bool(faults)
    return Prepared(calls=tuple(ready), refused=refused, spoilt=spoilt)


def _denied(call: ToolCall, ruling: Ruling) -> str | None:
    """Return why the rules or a policy keep a call from being run, null where they do not."""
    valid = [schema.name for schema in ruling.tools]
    if call.name not in valid:
        return refusal(call.name, valid=valid, stored=ruling.stored, last=ruling.history.last)
    policy = ruling.policy(call)
    return policy.told if policy is not None and policy.effect == "deny" else None


def _filled(call: ToolCall, ruling: Ruling) -> tuple[list[str], ToolCall]:
    """Return what is wrong with the arguments that rules give, and the call with them."""
    given = prefills(ruling.rules, name=call.name, history=ruling.history)
    if not given:
        return [], call
    schema = next((schema for schema in ruling.tools if schema.name == call.name), None)
    if schema is None:  # Approved, and gone or out of turn since.
        return [], call
    faults = problems(given, parameters=schema.parameters)
    try:
        arguments = filled(read_arguments(call.arguments), given)
    except ToolArgumentsInvalid:
        return faults, call  # Told to the model where the call is run.
    return faults, replace(call, arguments=json.dumps(arguments, ensure_ascii=False))


def reminder(ruling: Ruling, *, window: Window, run: Run, step: Step) -> Message | None:
    """Return what keeps a turn from ending, null where it may or no step is left (L36).

    `window` is what the model replied to. A reminder is a user's message by its role; the
    step it carries tells it from what a client said.
    """
    reason = _reason(ruling, said=window.messages) if ruling.rules else None
    if reason is None or run.step_count >= run.options.max_steps:
        return None
    text = heartbeat_envelope(reason, at=step.created_at, timezone=window.agent.timezone)
    return told(text, run=run, step_id=step.id, at=step.created_at)


def told(text: str, *, run: Run, step_id: str | None, at: datetime) -> Message:
    """Return what makes the agent go on, as a user's message of the run (S40)."""
    return Message(
        id=ids.new("message"),
        role="user",
        agent_id=run.agent_id,
        conversation_id=run.conversation_id,
        content=(Text(text=text),),
        step_id=step_id,
        run_id=run.id,
        created_at=at,
    )


def _reason(ruling: Ruling, *, said: Sequence[Message]) -> str | None:
    """Return why the turn may not end yet: a required tool, or a forced call that did not come.

    That is asked for once more and no oftener, since not every provider can force it (FIX-19).
    Where the rules leave nothing to be called, nothing is asked for (FIX-18).
    """
    if not ruling.tools:
        return None
    unmet = ruling.unmet()
    if unmet:
        return f"Before your response may end you still have to call: {', '.join(unmet)}."
    if ruling.choice.mode != "required" or (said and _is_reminder(said[-1])):
        return None
    names = ", ".join(schema.name for schema in ruling.tools)
    return f"The rules on your tools ask for a tool call now. Call one of: {names}."


def _is_reminder(message: Message) -> bool:
    return message.role == "user" and message.step_id is not None
