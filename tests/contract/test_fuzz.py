"""Random requests made from the OpenAPI document that the server serves: none makes it fail.

The same requests each time: nothing here is drawn from a clock or from earlier runs. Making one
takes longer than answering it, so that each is made once and sent to a server on either engine.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from letta_client import Letta
from letta_client.types import AgentState
from schemathesis import GenerationMode

from tests.contract.conftest import PATIENCE_S, Clients
from tests.fixtures.servers import Server

EXAMPLES: Final = 3
PARTS: Final = 4
"""So that no process is the last one at work for long, and a slow machine ends each in time."""
UNCHECKED: Final = [
    HealthCheck.data_too_large,
    HealthCheck.filter_too_much,
    HealthCheck.too_slow,
    HealthCheck.large_base_example,
]
NOT_KEPT: Final = {501}
"""The one status from 500 up that is an answer: there is no trace store."""
GOES_OUT: Final = {"POST /v1/providers/check"}
"""What asks the vendor that a request names; no test leaves this machine."""


@dataclass(frozen=True, slots=True)
class Target:
    """A server and what its paths may name, so that not every request ends at a 404."""

    server: Server
    known: dict[str, str]


def target(server: Server, letta: Letta) -> Target:
    agent = letta.agents.create(memory_blocks=[{"label": "human", "value": "Name: Ada"}])
    letta.agents.messages.create(agent.id, input="Hello.")
    return Target(server, known_ids(agent, letta))


def operations(server: Server) -> list[Any]:
    document = httpx.get(f"{server.url}/openapi.json", timeout=PATIENCE_S).json()
    schema: Any = schemathesis.openapi.from_dict(document)
    found = [one.ok() for one in schema.get_all_operations()]
    return [one for one in found if f"{one.method.upper()} {one.path}" not in GOES_OUT]


def known_ids(agent: AgentState, letta: Letta) -> dict[str, str]:
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


def faults_of(operation: Any, targets: Sequence[Target]) -> list[str]:
    """Send requests made for one operation; return those that a server failed at."""
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
        for to in targets:
            if real and not deletes:
                names = to.known.keys() & case.path_parameters.keys()
                case.path_parameters.update({name: to.known[name] for name in names})
            answer = case.call(base_url=to.server.url, timeout=PATIENCE_S)
            if answer.status_code >= 500 and answer.status_code not in NOT_KEPT:
                said = f"{case.method} {case.formatted_path} {case.body}: {answer.text[:200]}"
                faults.append(said)

    send()
    return faults


def without_budgets(server: Server) -> None:
    """Remove the budgets that were made at random, or what follows on the server is refused."""
    with httpx.Client(base_url=server.url, timeout=PATIENCE_S) as http:
        for one in http.get("/v1/budgets").json():
            subject = one["subject_id"]
            name = "organization" if subject.startswith("org-") else subject
            http.delete(f"/v1/budgets/{name}/{one['period']}").raise_for_status()


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.rule("api-3.1", "api-3.2", "api-3.4")
def test_no_request_made_from_the_document_is_a_server_error(
    part: int, on_sqlite: Server, on_postgresql: Server, clients: Clients
) -> None:
    servers = (on_sqlite, on_postgresql)
    targets = [target(one, clients.client("sync", one.url)) for one in servers]
    found = operations(on_sqlite)
    assert len(found) > 60
    faults = [faults_of(one, targets) for one in found[part::PARTS]]
    for one in servers:
        without_budgets(one)
    assert list(itertools.chain.from_iterable(faults)) == []
    assert [one for server in servers for one in server.faults()] == []
