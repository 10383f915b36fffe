"""One question to a model as an agent is set up for it, which leaves no trace (api 6.80)."""

from contextlib import aclosing
from datetime import UTC, datetime

from eunoe import ids
from eunoe.domain.agents import Agent
from eunoe.domain.drafts import ModelWish
from eunoe.domain.generation import Generated, Question
from eunoe.domain.messages import Message, Role, Text, text_of
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Usage
from eunoe.engine.ports import ModelRequest
from eunoe.engine.reply import Reply
from eunoe.errors import CompletionFailed, ModelError
from eunoe.service import states
from eunoe.service.models import Defaults, Models, model_of
from eunoe.store.db import Actor, Database


async def generate(
    db: Database, actor: Actor, agent_id: str, question: Question, *, models: Models
) -> Generated:
    """Ask once and return the answer.

    Raises `Missing` for an unknown agent or model, and `CompletionFailed`.
    """
    async with db.read(actor) as tx:
        agent = await states.known(tx, agent_id)
    config = agent.model
    if question.model is not None:
        wish, kind = ModelWish(handle=question.model), agent.agent_type
        config = await model_of(wish, agent_type=kind, models=models, defaults=Defaults())
    try:
        reply = await _answer(_request(agent, config, question, actor), models=models)
    except ModelError as error:
        raise CompletionFailed(str(error)) from error
    said = reply.message(message_id="", agent_id=agent.id, model=config.model, at=datetime.now(UTC))
    text = "" if said is None else text_of(said)
    return Generated(text=text, model=config.model, usage=reply.usage or Usage())


async def _answer(request: ModelRequest, *, models: Models) -> Reply:
    reply = Reply()
    async with aclosing(models.model_for(request.config).stream(request)) as events:
        async for event in events:
            reply.take(event)
    reply.check()
    return reply


def _request(agent: Agent, config: ModelConfig, question: Question, actor: Actor) -> ModelRequest:
    system = () if question.system is None else (_said(agent, "system", question.system),)
    return ModelRequest(
        config=config,
        messages=(*system, _said(agent, "user", question.prompt)),
        stream=False,
        response_schema=question.schema,
        user=actor.user_id,
    )


def _said(agent: Agent, role: Role, text: str) -> Message:
    return Message(
        id=ids.new("message"),
        role=role,
        agent_id=agent.id,
        content=(Text(text=text),),
        created_at=datetime.now(UTC),
    )
