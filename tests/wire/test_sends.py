"""What a caller may send (api 8.1, 8.2)."""

import base64

import pytest
from pydantic import ValidationError

from eunoe.domain.messages import (
    Answer,
    ClientReturn,
    Decision,
    Image,
    Json,
    Reasoning,
    SummarizedReasoning,
    Text,
)
from eunoe.errors import Invalid
from eunoe.wire.sends import (
    AgentMessageRequest,
    LettaAsyncRequest,
    LettaRequest,
    RetrieveStreamRequest,
    client_otids,
    given_answers,
    inputs_of,
    items_of,
    options_of,
)

pytestmark = pytest.mark.anyio
HELLO: Json = {"role": "user", "content": "Hello."}
YES: Json = {"type": "approval", "tool_call_id": "call_1", "approve": True}
GIVEN: Json = {"type": "tool", "tool_call_id": "call_2", "tool_return": "x", "status": "success"}
THOUGHT: Json = {"type": "reasoning", "is_native": True, "reasoning": "Hm."}
PIXEL = base64.b64encode(b"\x89PNG").decode()


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
    {"messages": [HELLO], "client_tools": [{"description": "No name."}]},
    {"messages": [{"type": "approval", "approvals": [{**YES, "arguments": "{}"}]}]},
    {"messages": [{"approve": True, "approval_request_id": "message-1", "arguments": "{}"}]},
    {"messages": [{"type": "tool_return", "tool_returns": [{**GIVEN, "tool_return": [THOUGHT]}]}]},
    {"messages": [HELLO], "client_skills": [{"name": "a"}]},
    {"messages": [HELLO], "return_logprobs": True},
    {"messages": [HELLO], "return_token_ids": True},
    {"input": [{"type": "tool_call", "id": "1", "name": "x", "input": {}}]},
    {"messages": [{"role": "system", "content": [{"type": "reasoning"}]}]},
]


@pytest.mark.rule("api-8.2", "L1")
@pytest.mark.parametrize("body", _REFUSED)
def test_refused(body: Json) -> None:
    assert refusal(body)


@pytest.mark.rule("G-26", "streaming-3.1")
def test_tokens_are_told_of_in_a_whole_answer_alone() -> None:
    for asked in ({"return_logprobs": True}, {"return_token_ids": True}):
        body = {"input": "x", **asked}
        assert "need a whole answer" in refusal({**body, "streaming": True}, AgentMessageRequest)
        request = AgentMessageRequest.model_validate({**body, "top_logprobs": 99})
        wanted = options_of(request, stream_tokens=False).tokens
        assert wanted is not None
        assert (wanted.top, wanted.ids) in {(20, False), (None, True)}


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
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpg", "data": "/9j/"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": "Qk0="}},
    ]
    request = LettaRequest.model_validate({"input": content})
    (made,) = await inputs_of(items_of(request), fetch=fetch)
    assert made.content == (
        Text(text="See:"),
        Image(media_type="image/gif", data="from http://x/y.gif"),
        Image(media_type="image/png", data=PIXEL),
        Image(media_type="image/png", data=PIXEL),
        Image(media_type="image/jpeg", data="/9j/"),
        Image(media_type="image/bmp", data="Qk0="),
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
        [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}],
        *[
            [{"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}]
            for kind, data in (
                ("image/png", "JVBERi0xLjc="),
                ("image/jpeg", "aGVsbG8="),
                ("image/webp", "UklGRgAAAABXQVZF"),
                ("image/png", "Qk0="),
                ("image/svg+xml", "PHN2Zz4="),
            )
        ],
        [
            {
                "type": "image",
                "source": {"type": "base64", "media_type": "text/plain", "data": PIXEL},
            }
        ],
        [
            {
                "type": "image",
                "source": {
                    "type": "letta",
                    "file_id": "file-1",
                    "media_type": "text/plain",
                    "data": PIXEL,
                },
            }
        ],
        [{"type": "image", "source": {"type": "letta", "file_id": "file-1"}}],
    ],
)
async def test_empty_or_unreadable_content_is_invalid(content: object) -> None:
    request = LettaRequest.model_validate({"messages": [{"role": "user", "content": content}]})
    with pytest.raises(Invalid):
        await inputs_of(items_of(request), fetch=fetch)


@pytest.mark.rule("H7", "H8", "H20", "L1", "api-8.1")
@pytest.mark.parametrize(
    ("item", "given"),
    [
        (
            {"approve": False, "approval_request_id": "message-1", "reason": "No."},
            (Decision(call_id="message-1", approve=False, reason="No."),),
        ),
        (
            {"type": "approval", "approvals": [YES, GIVEN]},
            (
                Decision(call_id="call_1", approve=True),
                ClientReturn(call_id="call_2", ok=True, output="x"),
            ),
        ),
        (
            {"type": "tool_return", "tool_returns": [{**GIVEN, "status": "error"}]},
            (ClientReturn(call_id="call_2", ok=False, output="x"),),
        ),
        ({"type": "approval"}, ()),
    ],
)
async def test_answers_come_in_three_forms(item: Json, given: tuple[Answer, ...]) -> None:
    request = LettaRequest.model_validate({"messages": [item, HELLO]})
    answers = await given_answers(items_of(request), fetch=fetch)
    assert answers is not None
    assert answers.given == given
    assert [one.role for one in await inputs_of(items_of(request), fetch=fetch)] == ["user"]
    ordinary = LettaRequest.model_validate({"messages": [HELLO]})
    assert await given_answers(items_of(ordinary), fetch=fetch) is None


@pytest.mark.rule("H21", "api-9.8")
async def test_a_client_may_return_parts() -> None:
    picture = {"type": "image", "source": {"type": "url", "url": "http://x/y.gif"}}
    parts = [{"type": "text", "text": "See:"}, picture]
    item = {"type": "tool_return", "tool_returns": [{**GIVEN, "tool_return": parts}]}
    request = LettaRequest.model_validate({"messages": [item]})
    answers = await given_answers(items_of(request), fetch=fetch)
    assert answers is not None
    (given,) = answers.given
    assert isinstance(given, ClientReturn)
    assert given.parts == (
        Text(text="See:"),
        Image(media_type="image/gif", data="from http://x/y.gif"),
    )
    assert given.output == "See:\n[an image]"


@pytest.mark.rule("H18", "TR13", "G-26")
def test_parameters_of_a_client_tool_are_optional() -> None:
    tools = [{"name": "click"}, {"name": "click", "description": "Click.", "parameters": {"a": 1}}]
    none: Json = {"type": "object", "properties": {}, "required": []}
    for given, description, parameters in ((tools[:1], "", none), (tools, "Click.", {"a": 1})):
        request = LettaAsyncRequest.model_validate({"input": "x", "client_tools": given})
        (made,) = options_of(request, stream_tokens=False).client_tools
        assert (made.description, made.parameters) == (description, parameters)


@pytest.mark.rule("streaming-4.6")
@pytest.mark.parametrize("body", [{"starting_after": -1}, {"poll_interval": 0}])
def test_a_reader_that_makes_no_sense_is_refused(body: Json) -> None:
    with pytest.raises(ValidationError):
        RetrieveStreamRequest.model_validate(body)


@pytest.mark.rule("G-26")
@pytest.mark.parametrize(
    "url",
    ["done", "ftp://a.b/c", "http://", "http://a:99999/", "http://[", "https://a/" + "b" * 2_083],
)
def test_a_callback_goes_to_the_web(url: str) -> None:
    with pytest.raises(ValidationError, match="callback_url"):
        LettaAsyncRequest(input="hi", callback_url=url)
    assert LettaAsyncRequest(input="hi", callback_url="https://a.b/c?d").callback_url
    assert LettaAsyncRequest(input="hi").callback_url is None
