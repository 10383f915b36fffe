"""An agent behind OpenAI's chat completions (streaming 1.8): one more entrance to the same runs."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from eunoe.domain.runs import Run
from eunoe.http.deps import Caller, Me
from eunoe.http.openai_form import STREAM, OpenAiForm, OpenAiRoute, acting, model_of, whole
from eunoe.http.router import answers, v1
from eunoe.http.sending import Target, followed, lens_for, submitted
from eunoe.wire.completions import (
    ChatCompletion,
    ChatCompletionRequest,
    CompletionTeller,
    agent_of,
    completion,
    head_of,
    message_of,
)
from eunoe.wire.sends import LettaRequest

router = v1(tag="openai", route_class=OpenAiRoute)


@router.post(
    "/chat/completions", **answers("create_chat_completion", ChatCompletion, content=STREAM)
)
async def create(body: ChatCompletionRequest, request: Request, me: Me) -> Response:
    """Send the last user message to the agent that `model` names; get what it says."""
    agent_id = agent_of(body.model)
    sent = LettaRequest(messages=[message_of(body)])
    me = await acting(me, body.user)
    model = await model_of(me, agent_id)
    target = Target(
        agent_id=agent_id, run_type="openai_chat_completions", stream_tokens=bool(body.stream)
    )
    run = await submitted(request, me, sent, target)
    asked = body.stream_options
    usage = bool(asked and asked.include_usage)
    return await told(me, run, model=model, streams=bool(body.stream), with_usage=usage)


async def told(me: Caller, run: Run, *, model: str, streams: bool, with_usage: bool) -> Response:
    """Return what the agent says in the run, whole or as it is said."""
    head = head_of(run, model=model)
    lens = await lens_for(me, run)
    if not streams:
        return await whole(me, run, lens=lens, told=partial(completion, head))
    teller = CompletionTeller(head, with_usage=with_usage)
    return followed(me, run, form=OpenAiForm(teller, run_id=run.id, lens=lens))
