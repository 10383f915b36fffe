"""An agent behind OpenAI's Responses API: one more entrance to the same runs."""

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.openai_form import STREAM, OpenAiForm, OpenAiRoute, acting, model_of, whole
from eunoe.http.router import answers, v1
from eunoe.http.sending import Target, followed, lens_for, submitted
from eunoe.wire.completions import agent_of, head_of
from eunoe.wire.responses import (
    ResponseObject,
    ResponseRequest,
    ResponseTeller,
    closed,
    conversation_of,
    message_of,
    response,
)
from eunoe.wire.sends import LettaRequest

router = v1(tag="openai", route_class=OpenAiRoute)


@router.post("/responses", **answers("create_response", ResponseObject, content=STREAM))
async def create(body: ResponseRequest, request: Request, me: Me) -> Response:
    """Send the last user message to the agent that `model` names; get what it says."""
    agent_id, conversation_id = agent_of(body.model), conversation_of(body)
    sent = LettaRequest(messages=[message_of(body)])
    me = await acting(me, body.user)
    model = await model_of(me, agent_id)
    target = Target(
        agent_id=agent_id,
        conversation_id=conversation_id,
        run_type="openai_responses",
        stream_tokens=bool(body.stream),
    )
    run = await submitted(request, me, sent, target)
    begun = response(head_of(run, model=model), body)
    lens = await lens_for(me, run)
    if body.stream:
        form = OpenAiForm(ResponseTeller(begun), run_id=run.id, lens=lens, named=True)
        return followed(me, run, form=form)
    return await whole(me, run, lens=lens, told=partial(closed, begun))
