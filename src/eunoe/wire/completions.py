"""Chat completions: an agent behind the best-known chat API, request and both answers.

The agent remembers by itself, so only the last user message of a request counts, and
what steers a bare model's sampling is accepted and ignored. What would change the
meaning of the answer and is not done is refused (streaming 1.8, G-26).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias, cast

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from eunoe.domain.events import Used
from eunoe.domain.messages import Json
from eunoe.domain.runs import Run
from eunoe.errors import Invalid
from eunoe.ids import is_id
from eunoe.wire.content import ContentPart, ImageContent, TextContent, UrlImage
from eunoe.wire.sends import MessageCreate
from eunoe.wire.shape import Shape
from eunoe.wire.speech import Close, Speech

_PARAGRAPH: Final = "\n\n"
_NO_TOOLS: Final = (
    "Tools cannot be brought along with this request, because the agent has its own; "
    "attach them to the agent, or send tool_choice none."
)


class StreamOptions(Shape):
    include_usage: bool | None = None


class ChatCompletionRequest(Shape):
    """A request as the clients of that API send it; fields not named here are ignored."""

    model_config = ConfigDict(extra="ignore")

    model: str = Field(description="The id of the agent that is to answer.")
    messages: Annotated[
        Any, WithJsonSchema({"type": "array", "items": {"type": "object"}, "minItems": 1})
    ] = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = Field(default=None, description="The acting user, where it is a user id.")
    n: int | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    response_format: Json | None = None
    modalities: list[str] | None = None
    logprobs: bool | None = None


def agent_of(model: str) -> str:
    """Return the agent that a request names where others name a model."""
    if not is_id("agent", model):
        raise Invalid(
            "The model of this request must be the id of an agent, agent-{uuid4}.", param="model"
        )
    return model


def check_tools(tools: Sequence[object] | None, choice: object, *, param: str = "tools") -> None:
    """Refuse tools that the caller wants to run itself."""
    if tools and choice != "none":
        raise Invalid(_NO_TOOLS, param=param)


def message_of(request: ChatCompletionRequest) -> MessageCreate:
    """Return the one message that the agent gets; raise `Invalid` for what cannot be done."""
    check_tools(request.tools, request.tool_choice)
    check_tools(request.functions, None, param="functions")
    _refuse("n", asked=request.n not in (None, 1), why="One answer is given; leave n out.")
    kind = (request.response_format or {}).get("type", "text")
    _refuse("response_format", asked=kind != "text", why="Set it on the agent instead.")
    spoken = request.modalities and set(request.modalities) != {"text"}
    _refuse("modalities", asked=bool(spoken), why="Answers are text.")
    _refuse("logprobs", asked=bool(request.logprobs), why="They are not kept.")
    given = {"messages": request.messages} if "messages" in request.model_fields_set else {}
    said = last_user_message(listed(given))
    name = said.get("name")
    return MessageCreate(
        role="user",
        content=content_of(said["content"], part=_part, of="a message", param="messages"),
        name=name if isinstance(name, str) else None,
    )


def _refuse(param: str, *, asked: bool, why: str) -> None:
    if asked:
        raise Invalid(f"This value of {param} is not supported. {why}", param=param)


# The messages of a request (agent S57 to S63)


def listed(request: object) -> list[Any]:
    """Return the messages of a request, at least one; raise `Invalid` with the reason."""
    if isinstance(request, Mapping) and "messages" not in request:
        raise Invalid("The 'messages' field is missing in the request.", param="messages")
    given: object = cast("Json", request)["messages"] if isinstance(request, Mapping) else None
    if not isinstance(given, Iterable):
        raise Invalid("The 'messages' field must be an iterable.", param="messages")
    try:
        found: list[Any] = list(cast("Iterable[Any]", given))
    except Exception as error:  # an iterable of the caller's own, which may raise anything
        text = f"An error occurred while processing 'messages': {error}"
        raise Invalid(text, param="messages") from error
    if not found:
        raise Invalid("The 'messages' field holds no message.", param="messages")
    if isinstance(given, str | bytes) or not all(isinstance(one, Mapping) for one in found):
        raise Invalid("The 'messages' field must hold objects.", param="messages")
    return found


def last_user_message(messages: Sequence[Json], *, param: str = "messages") -> Json:
    """Return the last message of a user; what stands around it is history, which is ours."""
    for message in reversed(messages):
        if message.get("role") == "user" and "content" in message:
            return message
    raise Invalid(f"The '{param}' field holds no message of the role 'user'.", param=param)


def content_of(
    given: object, *, part: Callable[[object], ContentPart], of: str, param: str
) -> str | list[ContentPart]:
    """Return what is said `of` a message or item: a text, or what `part` makes of each part."""
    if isinstance(given, str):
        return given
    if not isinstance(given, list):
        raise Invalid(f"The content of {of} is a string or a list of parts.", param=param)
    return [part(one) for one in cast("list[object]", given)]


def _part(given: object) -> ContentPart:
    part = cast("Json", given) if isinstance(given, dict) else {}
    match part:
        case {"type": "text", "text": str(text)}:
            return TextContent(text=text)
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return ImageContent(source=UrlImage(url=url))
        case _:
            kind = part.get("type")
            raise Invalid(
                f"A part of type {kind} cannot be sent; text and image_url can.", param="messages"
            )


# The answer


class CompletionMessage(TypedDict):
    role: Literal["assistant"]
    content: str
    refusal: None


class Choice(TypedDict):
    index: int
    message: CompletionMessage
    logprobs: None
    finish_reason: str


class ChatCompletion(TypedDict):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[Choice]
    usage: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What every piece of an answer carries: which run, when, and through which model."""

    run_id: str
    created: int
    model: str


def head_of(run: Run, *, model: str) -> Head:
    return Head(run_id=run.id, created=int(run.created_at.timestamp()), model=model)


Finish: TypeAlias = Literal["stop", "length"]


def completion(head: Head, said: Iterable[Speech], close: Close) -> ChatCompletion:
    """Return the whole answer; what was said in several messages stands in paragraphs."""
    text = _PARAGRAPH.join(one.text for one in said)
    return {
        "id": f"chatcmpl-{head.run_id}",
        "object": "chat.completion",
        "created": head.created,
        "model": head.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": _finish(close),
            }
        ],
        "usage": usage(close.used),
    }


def usage(used: Used | None) -> Json:
    """Return the tokens of the whole run; details are left out where nobody reported them."""
    tokens = used.usage if used is not None else None
    if tokens is None:
        return {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    counted: Json = {
        "prompt_tokens": tokens.prompt_tokens,
        "completion_tokens": tokens.completion_tokens,
        "total_tokens": tokens.total_tokens,
    }
    if tokens.cached_input_tokens is not None:
        counted["prompt_tokens_details"] = {"cached_tokens": tokens.cached_input_tokens}
    if tokens.reasoning_tokens is not None:
        counted["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning_tokens}
    return counted


def error_body(message: str, *, kind: str, code: str, param: object = None) -> Json:
    """Return a failure in the form from which these clients make their exceptions."""
    return {"error": {"message": message, "type": kind, "code": code, "param": param}}


def _finish(close: Close) -> Finish:
    return "length" if close.cut else "stop"


class CompletionTeller:
    """The chunks of a streamed completion: the role first, text, then why it ended."""

    def __init__(self, head: Head, *, with_usage: bool) -> None:
        self._head = head
        self._with_usage = with_usage
        self._part: str | None = None

    def opened(self) -> list[Json]:
        return []

    def said(self, speech: Speech) -> list[Json]:
        text = speech.text
        if self._part is None:
            delta: Json = {"role": "assistant", "content": text}
        elif speech.part == self._part:
            delta = {"content": text}
        else:
            delta = {"content": _PARAGRAPH + text}
        self._part = speech.part
        return [self._chunk(delta)]

    def closed(self, close: Close) -> list[Json]:
        if close.problem is not None:
            problem = close.problem
            return [error_body(problem.message, kind=problem.error_type, code=problem.code)]
        silent = [] if self._part else [self._chunk({"role": "assistant", "content": ""})]
        made = [*silent, self._chunk({}, finish=_finish(close))]
        if self._with_usage:
            made.append({**self._common(), "choices": [], "usage": usage(close.used)})
        return made

    def _chunk(self, delta: Json, *, finish: Finish | None = None) -> Json:
        chunk = self._common()
        chunk["choices"] = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        if self._with_usage:
            chunk["usage"] = None
        return chunk

    def _common(self) -> Json:
        return {
            "id": f"chatcmpl-{self._head.run_id}",
            "object": "chat.completion.chunk",
            "created": self._head.created,
            "model": self._head.model,
        }
