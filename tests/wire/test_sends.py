"""What a caller may send (api 8.1, 8.2)."""

import base64

import pytest
from pydantic import ValidationError

from eunoe.domain.messages import Image, Json, Reasoning, SummarizedReasoning, Text
from eunoe.errors import Invalid
from eunoe.wire.sends import (
    AgentMessageRequest,
    LettaAsyncRequest,
    LettaRequest,
    RetrieveStreamRequest,
    client_otids,
    inputs_of,
    items_of,
    options_of,
)

pytestmark = pytest.mark.anyio
HELLO: Json = {"role": "user", "content": "Hello."}
PIXEL = base64.b64encode(b"pixel").decode()


async def fetch(url: str) -> Image:
    return Image(media_type="image/gif", data=f"from {url}")


def refusal(body: Json, model: type[LettaRequest] = LettaRequest) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(body)
    return str(caught.value)


_REFUSED: list[Json] = [
    {},
    {"messages": [HELLO], "input": "Hello."},
    {"messages": []},
    {"messages": [HELLO], "max_steps": 0},
    {"messages": [HELLO], "include_return_message_types": ["gossip"]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "sound"}]}]},
    {"messages": [HELLO, {"type": "approval", "approvals": []}]},
    {"messages": [HELLO], "client_tools": [{"name": "click"}]},
    {"messages": [HELLO], "client_skills": [{"name": "a", "description": "", "location": ""}]},
    {"messages": [HELLO], "return_logprobs": True},
    {"messages": [HELLO], "return_token_ids": True},
    {"input": [{"type": "tool_call", "id": "1", "name": "x", "input": {}}]},
    {"messages": [{"role": "system", "content": [{"type": "reasoning"}]}]},
]


@pytest.mark.rule("api-8.2", "L1")
@pytest.mark.parametrize("body", _REFUSED)
def test_refused(body: Json) -> None:
    assert refusal(body)


@pytest.mark.rule("G-26", "api-8.4")
def test_all_wrong_streaming_options_are_named_together() -> None:
    body = {"input": "x", "stream_tokens": True, "include_pings": False, "background": True}
    text = refusal(body, AgentMessageRequest)
    assert "stream_tokens=true, include_pings=false, background=true" in text
    assert AgentMessageRequest.model_validate({**body, "streaming": True}).background


@pytest.mark.rule("G-26")
@pytest.mark.parametrize("thinking", ["false", True, "anything"])
def test_what_is_ignored_is_accepted(thinking: object) -> None:
    body = {
        "messages": [{**HELLO, "batch_item_id": "x"}],
        "enable_thinking": thinking,
        "client_tools": [],
        "top_logprobs": 99,
        "unheard_of": 1,
    }
    assert LettaRequest.model_validate(body).max_steps == 50


@pytest.mark.rule("api-8.2")
def test_input_stands_for_one_user_message_and_system_for_override_system() -> None:
    request = LettaRequest.model_validate({"input": "Hello.", "system": "Be brief."})
    (item,) = items_of(request)
    assert (item.type, client_otids([item])) == ("message", ())
    options = options_of(request, stream_tokens=True)
    assert (options.override_system, options.stream_tokens) == ("Be brief.", True)


@pytest.mark.rule("L2", "api-8.1")
async def test_otids_are_kept_or_made() -> None:
    body = {"messages": [{**HELLO, "otid": "mine"}, {**HELLO, "type": None}]}
    items = items_of(LettaRequest.model_validate(body))
    first, second = await inputs_of(items, fetch=fetch)
    assert client_otids(items) == ("mine",)
    assert (first.otid, len(second.otid)) == ("mine", 36)


@pytest.mark.rule("api-9.20", "L6")
async def test_parts_become_ours() -> None:
    content = [
        {"text": "See:"},
        {"type": "image", "source": {"type": "url", "url": "http://x/y.gif"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}},
        {"type": "image", "source": {"type": "letta", "file_id": "file-1", "data": PIXEL}},
    ]
    request = LettaRequest.model_validate({"input": content})
    (made,) = await inputs_of(items_of(request), fetch=fetch)
    assert made.content == (
        Text(text="See:"),
        Image(media_type="image/gif", data="from http://x/y.gif"),
        Image(media_type="image/png", data=PIXEL),
        Image(media_type="image/png", data=PIXEL),
    )


@pytest.mark.rule("api-9.20")
async def test_an_assistant_message_may_hold_thoughts() -> None:
    summary = [{"index": 1, "text": "b"}, {"index": 0, "text": "a"}]
    content = [
        {"type": "reasoning", "is_native": True, "reasoning": "Hm.", "signature": "s"},
        {"type": "summarized_reasoning", "id": "r", "summary": summary},
    ]
    request = LettaRequest.model_validate({"messages": [{"role": "assistant", "content": content}]})
    (made,) = await inputs_of(items_of(request), fetch=fetch)
    assert made.content == (
        Reasoning(text="Hm.", signature="s"),
        SummarizedReasoning(id="r", summary=("a", "b")),
    )


@pytest.mark.rule("L6", "S28")
@pytest.mark.parametrize(
    "content",
    [
        "",
        [],
        [{"type": "text", "text": ""}],
        [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "%"}}],
        [{"type": "image", "source": {"type": "letta", "file_id": "file-1"}}],
    ],
)
async def test_empty_or_unreadable_content_is_invalid(content: object) -> None:
    request = LettaRequest.model_validate({"messages": [{"role": "user", "content": content}]})
    with pytest.raises(Invalid):
        await inputs_of(items_of(request), fetch=fetch)


@pytest.mark.rule("api-8.1", "streaming-9.6")
@pytest.mark.parametrize(
    "item",
    [
        {"approve": True, "approval_request_id": "call_1"},
        {"type": "approval", "approvals": [{"tool_call_id": "call_1", "approve": False}]},
        {
            "type": "tool_return",
            "tool_returns": [{"tool_call_id": "1", "tool_return": "x", "status": "success"}],
        },
    ],
)
async def test_an_answer_to_nothing_says_so(item: Json) -> None:
    request = LettaRequest.model_validate({"messages": [item]})
    with pytest.raises(Invalid, match="No tool call is currently awaiting approval"):
        await inputs_of(items_of(request), fetch=fetch)


@pytest.mark.rule("streaming-4.6")
@pytest.mark.parametrize("body", [{"starting_after": -1}, {"poll_interval": 0}])
def test_a_reader_that_makes_no_sense_is_refused(body: Json) -> None:
    with pytest.raises(ValidationError):
        RetrieveStreamRequest.model_validate(body)


@pytest.mark.rule("G-26")
def test_a_callback_that_nobody_would_deliver_is_refused() -> None:
    with pytest.raises(ValidationError, match="not delivered"):
        LettaAsyncRequest(input="hi", callback_url="http://127.0.0.1/done")
    assert LettaAsyncRequest(input="hi").callback_url is None
