"""Random requests made from the OpenAPI document that the server serves: none makes it fail.

The same requests each time: nothing here is drawn from a clock or from earlier runs.
"""

import itertools
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from letta_client import Letta
from letta_client.types import AgentState
from schemathesis import GenerationMode

from tests.contract.conftest import PATIENCE_S, MakeAgent
from tests.fixtures.servers import Server

EXAMPLES: Final = 5
UNCHECKED: Final = [
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.too_slow,
    HealthCheck.large_base_example,
]
NOT_KEPT: Final = {501}
"""The one status from 500 up that is an answer: there is no trace store."""


def operations(server: Server) -> list[Any]:
    document = httpx.get(f"{server.url}/openapi.json", timeout=PATIENCE_S).json()
    schema: Any = schemathesis.openapi.from_dict(document)
    return [one.ok() for one in schema.get_all_operations()]


def known_ids(agent: AgentState, letta: Letta) -> dict[str, str]:
    """Return what path parameters may name, so that not every request ends at a 404."""
    run = letta.runs.list(agent_id=agent.id).items[0]
    return {
        "agent_id": agent.id,
        "conversation_id": letta.conversations.create(agent_id=agent.id).id,
        "block_id": str(agent.blocks[0].id),
        "block_label": "human",
        "run_id": run.id,
        "step_id": letta.steps.list(agent_id=agent.id).items[0].id,
        "tool_id": agent.tools[0].id,
        "message_id": (agent.message_ids or [""])[0],
    }


def faults_of(operation: Any, *, url: str, known: dict[str, str]) -> list[str]:
    """Send requests made for one operation; return those that the server failed at."""
    faults: list[str] = []
    deletes = operation.method.upper() == "DELETE"

    modes: list[st.SearchStrategy[Any]] = [
        operation.as_strategy(generation_mode=mode) for mode in GenerationMode
    ]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=UNCHECKED,
    )
    @given(case=st.one_of(modes), real=st.sampled_from([True, True, True, False]))
    def send(case: Any, real: bool) -> None:
        if real:
            # An odd one is refused before anything else is looked at.
            case.headers.pop("user_id", None)
        if real and not deletes:
            names = known.keys() & case.path_parameters.keys()
            case.path_parameters.update({name: known[name] for name in names})
        answer = case.call(base_url=url, timeout=PATIENCE_S)
        if answer.status_code >= 500 and answer.status_code not in NOT_KEPT:
            faults.append(f"{case.method} {case.formatted_path} {case.body}: {answer.text[:200]}")

    send()
    return faults


@pytest.mark.rule("api-3.1", "api-3.2", "api-3.4")
def test_no_request_made_from_the_document_is_a_server_error(
    server: Server, letta: Letta, make_agent: MakeAgent
) -> None:
    agent = make_agent(memory_blocks=[{"label": "human", "value": "Name: Ada"}])
    letta.agents.messages.create(agent.id, input="Hello.")
    known = known_ids(agent, letta)
    found = operations(server)
    assert len(found) > 60
    faults = [faults_of(one, url=server.url, known=known) for one in found]
    assert list(itertools.chain.from_iterable(faults)) == []
    assert server.faults() == []
