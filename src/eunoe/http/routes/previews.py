"""What a model would be asked, and a question to it alone: nothing is stored (streaming 1.1)."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.paths import AgentId, ConversationAddress
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.sending import Target, submission_of
from eunoe.service import generation, places
from eunoe.wire.generation import GenerateRequest, GenerateResponse, answer_of
from eunoe.wire.sends import ConversationMessageRequest, LettaStreamingRequest

of_agent = v1("/agents", tag="agents")
of_conversation = v1("/conversations", tag="conversations")


@of_agent.post(
    "/{agent_id}/messages/preview-raw-payload", **answers("preview_model_request", dict[str, Any])
)
async def preview(
    agent_id: AgentId, body: LettaStreamingRequest, request: Request, me: Me
) -> Response:
    """Get the body of the provider's request that sending this would begin with."""
    target = Target(agent_id=agent_id, run_type="preview", stream_tokens=body.stream_tokens)
    submission = await submission_of(request, me, body, target)
    return JsonReply(await me.runtime.runner.preview(me.actor, submission))


@of_conversation.post(
    "/{conversation_id}/messages/preview-raw-payload",
    **answers("preview_conversation_model_request", dict[str, Any]),
)
async def preview_in_conversation(
    conversation_id: ConversationAddress, body: ConversationMessageRequest, request: Request, me: Me
) -> Response:
    """Get the body of the provider's request that sending this there would begin with."""
    place = await places.at(me.db, me.actor, conversation_id, agent_id=body.agent_id)
    target = Target(
        agent_id=place.agent_id,
        conversation_id=place.conversation_id,
        run_type="preview",
        stream_tokens=body.stream_tokens,
    )
    submission = await submission_of(request, me, body, target)
    return JsonReply(await me.runtime.runner.preview(me.actor, submission))


@of_agent.post("/{agent_id}/generate", **answers("generate_completion", GenerateResponse))
async def generate(agent_id: AgentId, body: GenerateRequest, me: Me) -> Response:
    """Ask the agent's model, without the agent's memory, tools or messages."""
    generated = await generation.generate(
        me.db, me.actor, agent_id, body.question(), models=me.models
    )
    return JsonReply(answer_of(generated))
