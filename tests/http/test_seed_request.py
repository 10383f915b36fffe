"""Reading the one message of a chat-completions request (agent S57 to S63)."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.exceptions import HTTPException

from eunoe.http.seed import get_user_message_from_chat_completions_request
from eunoe.wire.content import TextContent

HELLO = {"role": "user", "content": "Hello."}


class Failing:
    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no luck")


def refused(request: object) -> str:
    with pytest.raises(HTTPException) as refusal:
        get_user_message_from_chat_completions_request(request)
    assert refusal.value.status_code == 400
    return str(refusal.value.detail)


@pytest.mark.rule("S57")
def test_messages_must_be_there() -> None:
    assert refused({"model": "x"}) == "The 'messages' field is missing in the request."


@pytest.mark.rule("S58")
@pytest.mark.parametrize("request_", [{"messages": None}, {"messages": 5}, None])
def test_messages_must_be_iterable(request_: object) -> None:
    assert refused(request_) == "The 'messages' field must be an iterable."


@pytest.mark.rule("S59")
def test_whatever_goes_wrong_while_they_are_listed() -> None:
    text = "An error occurred while processing 'messages': no luck"
    assert refused({"messages": Failing()}) == text


@pytest.mark.rule("S60")
def test_the_last_word_is_a_users() -> None:
    for last in ({"role": "assistant", "content": "x"}, {"role": "system"}):
        assert refused({"messages": [HELLO, last]}) == "'messages[-1].role' must be a 'user'"


@pytest.mark.rule("S61")
@pytest.mark.parametrize("content", [None, [{"type": "text", "text": "x"}], 5])
def test_its_content_is_a_string(content: object) -> None:
    last = {"role": "user", "content": content}
    assert refused({"messages": [last]}) == "'messages[-1].content' must be a 'string'"


@pytest.mark.rule("S62")
def test_only_the_last_message_counts() -> None:
    messages = iter([{"role": "user", "content": "Earlier."}, HELLO])
    (made,) = get_user_message_from_chat_completions_request({"messages": messages})
    assert made.role == "user"
    assert made.content == [TextContent(text="Hello.")]


@pytest.mark.rule("S63", "FIX-14")
@pytest.mark.parametrize(
    "messages", [[], "Hello.", ["Hello."], [{"content": "x"}], [{"role": "user"}]]
)
def test_malformed_messages_are_refused_with_a_reason(messages: object) -> None:
    assert refused({"messages": messages})
