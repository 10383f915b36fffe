"""Which calls an agent may make unasked, and which never: an addition to the Letta V1 API."""

from dataclasses import replace
from datetime import UTC, datetime

from starlette.responses import Response

from eunoe.http.deps import Me
from eunoe.http.paths import AgentId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import states
from eunoe.store import agents
from eunoe.wire.call_policies import PoliciesOfCalls, shown

of_agent = v1("/agents", tag="agents")


@of_agent.get("/{agent_id}/call-policies", **answers("retrieve_call_policies", PoliciesOfCalls))
async def retrieve(agent_id: AgentId, me: Me) -> Response:
    """Get the policies of an agent's calls."""
    async with me.read() as tx:
        agent = await states.known(tx, agent_id)
    return JsonReply(shown(agent.call_policies))


@of_agent.put("/{agent_id}/call-policies", **answers("replace_call_policies", PoliciesOfCalls))
async def put(agent_id: AgentId, body: PoliciesOfCalls, me: Me) -> Response:
    """Replace the policies of an agent's calls; runs that go on keep those they began with."""
    async with me.write() as tx:
        agent = await states.known(tx, agent_id, held=True)
        changed = replace(agent, call_policies=body.given(), updated_at=datetime.now(UTC))
        await agents.update(tx, changed)
    return JsonReply(shown(changed.call_policies))
