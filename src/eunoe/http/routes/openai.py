"""An address at which all is as OpenAI has it (streaming 1.8): its models are the agents.

`/v1/models` is the API's own list of models, which OpenAI's clients cannot read.
"""

from typing import Final

from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.openai_form import STREAM, OpenAiRoute, agent_at
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.http.routes import completions, responses
from eunoe.store import agents
from eunoe.store.agents import AgentFilter
from eunoe.store.paging import Page
from eunoe.wire.completions import ChatCompletion, agent_of
from eunoe.wire.openai_models import Model, ModelList, model
from eunoe.wire.responses import ResponseObject

_MOST: Final = 1_000

router = v1("/openai", tag="openai", route_class=OpenAiRoute)


@router.get("/models", **answers("list_openai_models", ModelList))
async def list_all(me: Me) -> Response:
    """List agents as OpenAI lists models, the newest first, at most 1,000."""
    newest = Page(limit=_MOST, ascending=False, order_by="created_at")
    async with me.read() as tx:
        found = await agents.list_agents(tx, AgentFilter(), newest)
    return JsonReply(ModelList(object="list", data=[model(agent) for agent in found]))


@router.get("/models/{agent_id}", **answers("retrieve_openai_model", Model))
async def retrieve(agent_id: str, me: Me) -> Response:
    return JsonReply(model(await agent_at(me, agent_of(agent_id))))


router.add_api_route(
    "/chat/completions",
    completions.create,
    methods=["POST"],
    **answers("create_openai_chat_completion", ChatCompletion, content=STREAM),
)
router.add_api_route(
    "/responses",
    responses.create,
    methods=["POST"],
    **answers("create_openai_response", ResponseObject, content=STREAM),
)
