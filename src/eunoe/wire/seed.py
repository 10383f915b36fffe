"""The messages of a turn, for programs that run a turn themselves (agent S27 to S40, S47).

`eunoe.http.seed` is where to import these functions from; their names and parameters
are those that servers of this API shared. They make records and write nothing.
"""

import json
import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from eunoe.domain.agent_states import AgentState
from eunoe.domain.envelopes import CALL_FAILED, CALL_SUCCEEDED
from eunoe.domain.messages import Json, Part, Text
from eunoe.domain.tools import ToolResult
from eunoe.errors import Invalid
from eunoe.wire.approvals import ApprovalCreate, ApprovalReturn, ToolReturn
from eunoe.wire.content import FetchImage, part_of, parts_of
from eunoe.wire.seed_packaging import get_heartbeat, package_function_response
from eunoe.wire.seed_records import (
    CallRecord,
    Decision,
    FunctionCall,
    Record,
    ReturnRecord,
    message_id,
)
from eunoe.wire.sends import MessageCreate

DEFAULT_MESSAGE_TOOL: Final = "send_message"
DEFAULT_MESSAGE_TOOL_KWARG: Final = "message"
REQUEST_HEARTBEAT_PARAM: Final = "request_heartbeat"
_ROLES: Final = ("user", "system", "assistant")


# What comes in


async def input_records(
    input_messages: Sequence[MessageCreate], *, agent_id: str, run_id: str | None, fetch: FetchImage
) -> list[Record]:
    """Return each input as a record, in order, its text as it is (S27 to S30)."""
    return [
        await _input_record(one, agent_id=agent_id, run_id=run_id, fetch=fetch)
        for one in input_messages
    ]


async def _input_record(
    given: MessageCreate, *, agent_id: str, run_id: str | None, fetch: FetchImage
) -> Record:
    if given.role not in _ROLES:
        raise AssertionError(f"an input is said by one of {_ROLES}, not by {given.role}")
    if not given.content:
        raise ValueError("the content of a message is empty or invalid")
    if isinstance(given.content, str):
        content: tuple[Part, ...] = (Text(text=given.content),)
    else:
        content = tuple([await part_of(part, fetch=fetch) for part in given.content])
    return given.made(Record, content=content, agent_id=agent_id, run_id=run_id)


async def approval_response(
    agent_state: AgentState, input_message: ApprovalCreate, *, run_id: str | None, fetch: FetchImage
) -> list[Record]:
    """Return a person's answer to an approval request as one record (S31)."""
    answers = [
        await _answer(one, timezone=agent_state.agent.timezone, fetch=fetch)
        for one in input_message.approvals or ()
    ]
    return [
        Record(
            role="approval",
            agent_id=agent_state.agent.id,
            model=agent_state.agent.model.model,
            approval_request_id=input_message.approval_request_id,
            approve=input_message.approve,
            denial_reason=input_message.reason,
            approvals=tuple(answers),
            otid=input_message.otid,
            group_id=input_message.group_id,
            run_id=run_id,
        )
    ]


async def _answer(
    given: ApprovalReturn | ToolReturn, *, timezone: str, fetch: FetchImage
) -> Decision | ReturnRecord:
    """Return one answer; a text that a client's tool gave is packaged (H21)."""
    if isinstance(given, ApprovalReturn):
        return given.made(Decision)
    if isinstance(given.tool_return, str):
        response: str | tuple[Part, ...] = package_function_response(
            given.status == "success", given.tool_return, timezone
        )
    else:
        response = await parts_of(given.tool_return, fetch=fetch)
    return given.made(ReturnRecord, func_response=response)


# What the model said


def create_approval_request_message_from_llm_response(  # noqa: PLR0913, PLR0917 - the shared parameters
    agent_id: str,
    model: str,
    function_name: str | None = None,
    function_arguments: Json | None = None,
    tool_call_id: str | None = None,
    actor: object = None,
    continue_stepping: bool = False,
    reasoning_content: Sequence[Part] | None = None,
    pre_computed_assistant_message_id: str | None = None,
    step_id: str | None = None,
    run_id: str | None = None,
    append_request_heartbeat: bool = False,
    *,
    requested_tool_calls: Sequence[CallRecord] = (),
    allowed_tool_calls: Sequence[CallRecord] = (),
) -> list[Record]:
    """Return the request for approval, after the calls that need none (S32 to S36, H4).

    One call is given by name, arguments and id, several as `requested_tool_calls`. The
    arguments stay as the model wrote them unless `append_request_heartbeat` is true;
    the caller's own are never changed.
    """
    requested = tuple(requested_tool_calls)
    if function_name is not None:
        arguments = dict(function_arguments or {})
        if append_request_heartbeat:
            arguments[REQUEST_HEARTBEAT_PARAM] = continue_stepping
        requested = (_call(tool_call_id, function_name, arguments), *requested)
    if not requested:
        raise Invalid("No call was named that is to be approved.")
    said = tuple(reasoning_content or ())
    free = Record(
        id=message_id(pre_computed_assistant_message_id),
        role="assistant",
        agent_id=agent_id,
        content=said,
        model=model,
        step_id=step_id,
        run_id=run_id,
    )
    request_id = _request_id(pre_computed_assistant_message_id)
    request = replace(
        _calling(free, requested),
        id=request_id,
        role="approval",
        content=() if allowed_tool_calls else said,
        otid=request_id,
    )
    return [*([_calling(free, allowed_tool_calls)] if allowed_tool_calls else ()), request]


def _calling(record: Record, calls: Sequence[CallRecord]) -> Record:
    return replace(record, tool_calls=tuple(calls), tool_call_id=calls[0].id)


def _request_id(assistant_id: str | None) -> str:
    """Return the id of a request beside the message it belongs to: one less (S36)."""
    if assistant_id is None:
        return message_id(None)
    return f"message-{uuid.UUID(int=uuid.UUID(assistant_id[-36:]).int - 1)}"


def create_letta_messages_from_llm_response(  # noqa: PLR0913, PLR0917 - the shared parameters
    agent_id: str,
    model: str,
    function_name: str | None,
    function_arguments: Json | None,
    tool_execution_result: ToolResult | None,
    tool_call_id: str | None,
    function_call_success: bool | None,
    function_response: str | Json | None,
    timezone: str | None,
    actor: object = None,
    run_id: str | None = None,
    continue_stepping: bool = False,
    heartbeat_reason: str | None = None,
    reasoning_content: Sequence[Part] | None = None,
    pre_computed_assistant_message_id: str | None = None,
    llm_batch_item_id: str | None = None,
    step_id: str | None = None,
    is_approval_response: bool | None = None,
    force_set_request_heartbeat: bool = True,
    add_heartbeat_on_continue: bool = True,
) -> list[Record]:
    """Return the messages of one step: assistant, tool, heartbeat, where due (S37 to S39).

    A tool's result says itself whether it succeeded; `function_call_success` counts
    where there is none. With `force_set_request_heartbeat` the caller's arguments get the
    decision written into them.
    """
    if function_name is not None and force_set_request_heartbeat:
        function_arguments = {} if function_arguments is None else function_arguments
        function_arguments[REQUEST_HEARTBEAT_PARAM] = continue_stepping
    made: list[Record] = []
    said = _spoken(reasoning_content or ())
    assistant = Record(
        id=message_id(pre_computed_assistant_message_id),
        role="assistant",
        agent_id=agent_id,
        content=said,
        model=model,
        batch_item_id=llm_batch_item_id,
    )
    if function_name is not None:
        call = _call(tool_call_id, function_name, function_arguments or {})
        assistant = _calling(assistant, [call])
    if not is_approval_response and (said or assistant.tool_calls):
        made.append(assistant)
    result = tool_execution_result
    if result is not None:
        packed = package_function_response(result.ok, function_response, timezone)
        returned = _returned(
            result, packed, agent_id=agent_id, name=function_name, id_=tool_call_id
        )
        made.append(replace(returned, model=model, batch_item_id=llm_batch_item_id))
    if continue_stepping and add_heartbeat_on_continue:
        success = function_call_success if result is None else result.ok
        beat = create_heartbeat_system_message(
            agent_id, model, success, timezone, heartbeat_reason, run_id=run_id
        )
        made.append(beat)
    return [replace(one, step_id=step_id, run_id=run_id) for one in made]


def _call(call_id: str | None, name: str, arguments: Json) -> CallRecord:
    function = FunctionCall(name=name, arguments=json.dumps(arguments))
    return CallRecord(id=call_id or "", function=function)


def _spoken(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts that say something; an empty text counts if it is signed (S37e)."""
    return tuple(
        part for part in parts if not isinstance(part, Text) or part.text or part.signature
    )


def _returned(
    result: ToolResult, packed: str, *, agent_id: str, name: str | None, id_: str | None
) -> Record:
    return Record(
        role="tool",
        agent_id=agent_id,
        content=(Text(text=packed),),
        name=name,
        tool_calls=(),
        tool_call_id=id_,
        tool_returns=(
            ReturnRecord(
                tool_call_id=id_,
                status="success" if result.ok else "error",
                stdout=list(result.stdout) or None,
                stderr=list(result.stderr) or None,
                func_response=packed,
            ),
        ),
    )


def create_heartbeat_system_message(
    agent_id: str,
    model: str,
    function_call_success: bool | None,
    timezone: str | None,
    heartbeat_reason: str | None = None,
    llm_batch_item_id: str | None = None,
    run_id: str | None = None,
) -> Record:
    """Return what makes an agent go on, which a user says in spite of the name (S40 to S42)."""
    reason = heartbeat_reason or (CALL_SUCCEEDED if function_call_success else CALL_FAILED)
    return Record(
        role="user",
        agent_id=agent_id,
        content=(Text(text=get_heartbeat(timezone, reason)),),
        model=model,
        tool_calls=(),
        batch_item_id=llm_batch_item_id,
        run_id=run_id,
    )


def create_assistant_messages_from_openai_response(
    response_text: str, agent_id: str, model: str, actor: object, timezone: str | None
) -> list[Record]:
    """Return a plain answer as a call of the message tool and its return (S47)."""
    return create_letta_messages_from_llm_response(
        agent_id=agent_id,
        model=model,
        function_name=DEFAULT_MESSAGE_TOOL,
        function_arguments={DEFAULT_MESSAGE_TOOL_KWARG: response_text},
        tool_execution_result=ToolResult(ok=True, output=""),
        tool_call_id=str(uuid.uuid4()),
        function_call_success=True,
        function_response=None,
        timezone=timezone,
        actor=actor,
        continue_stepping=False,
    )
