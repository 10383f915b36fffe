"""A provider that answers rubbish: a typed failure each time, and the agent goes on (streaming 9)."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from letta_client import Letta

from tests.contract.conftest import MakeAgent
from tests.contract.reading import assert_whole, content_of, error_type_of, frames
from tests.contract.rubbish import KINDS
from tests.fixtures.servers import Server

KNOWN = {"llm_error", "llm_empty_response", "llm_bad_request"}
AT_ONCE = 6


@pytest.mark.rule("G-15", "G-14", "G-3", "G-8", "streaming-9.3", "api-10.6")
@pytest.mark.parametrize("streaming", [False, True])
def test_rubbish_is_a_typed_failure_and_is_not_kept(
    http: httpx.Client, letta: Letta, make_agent: MakeAgent, server: Server, streaming: bool
) -> None:
    options = {"streaming": True, "stream_tokens": True} if streaming else {}

    def told(kind: str) -> tuple[str, str, str | None, list[str]]:
        """Have an agent of its own fail and recover; return what a reader has of that."""
        agent = make_agent(model="vllm/rubbish")
        url = f"/v1/agents/{agent.id}/messages"
        answer = http.post(url, json={"input": f"RUBBISH {kind}", **options})
        if streaming:
            assert_whole(frames(answer.text))
        status = letta.runs.retrieve(answer.headers["x-letta-run-id"]).status
        letta.agents.update(agent.id, model="openai/scripted-1")
        letta.agents.messages.create(agent.id, input="SAY well")
        said = [content_of(part) for part in letta.agents.messages.list(agent.id).items[1:]]
        return kind, f"{answer.status_code} {error_type_of(answer)}", status, said

    # The server asks a failing provider more than once, with a pause: together, not in turn.
    with ThreadPoolExecutor(AT_ONCE) as pool:
        outcomes = list(pool.map(told, KINDS))
    for kind, failure, status, said in outcomes:
        code, error_type = failure.split()
        assert int(code) in ({200} if streaming else {400, 500}), kind
        assert error_type in KNOWN, kind
        assert status == "failed", kind
        assert said == [f"RUBBISH {kind}", "SAY well", "well"]
    assert server.faults() == []
