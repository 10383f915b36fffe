"""A voice agent behind OpenAI's chat completions, for platforms that speak (agent 8.4, G23)."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.agents import AgentType
from eunoe.domain.messages import Json
from eunoe.errors import AgentTypeWrong
from eunoe.http.deps import Me, agent_type
from eunoe.http.openai_form import STREAM, OpenAiRoute, acting, model_of
from eunoe.http.router import answers, v1
from eunoe.http.routes.completions import told
from eunoe.http.seed import get_user_message_from_chat_completions_request
from eunoe.http.sending import Target, submitted
from eunoe.wire.completions import ChatCompletion
from eunoe.wire.sends import LettaRequest

_SPEAKS: Final[AgentType] = "voice_convo_agent"


class VoiceRoute(OpenAiRoute):
    plain = True


router = v1("/voice-beta", tag="voice", route_class=VoiceRoute)


@router.post(
    "/{agent_id}/chat/completions",
    deprecated=True,
    **answers("create_voice_chat_completions", ChatCompletion, content=STREAM),
)
async def create(agent_id: str, body: dict[str, Any], request: Request, me: Me) -> Response:
    """Say the last user message to a voice agent; hear its answer, as a stream unless told not to.

    What else a request to a bare model holds is ignored: the agent has its own.
    """
    user = body.get("user")
    me = await acting(me, user if isinstance(user, str) else None)
    kind = await agent_type(me, agent_id)
    if kind != _SPEAKS:
        raise AgentTypeWrong(
            f"Only an agent of type {_SPEAKS} can be spoken to; this one is a {kind}.",
            expected_type=_SPEAKS,
            actual_type=kind,
        )
    sent = LettaRequest(messages=[*get_user_message_from_chat_completions_request(body)])
    streams = body.get("stream") is not False
    target = Target(
        agent_id=agent_id, run_type="voice_chat_completions", stream_tokens=streams, aloud=True
    )
    run = await submitted(request, me, sent, target)
    model = await model_of(me, agent_id)
    usage = streams and _wants_usage(body)
    return await told(me, run, model=model, streams=streams, with_usage=usage)


def _wants_usage(body: Json) -> bool:
    match body.get("stream_options"):
        case {"include_usage": True}:
            return True
        case _:
            return False
