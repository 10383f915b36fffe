"""A provider that answers rubbish: a typed failure each time, and the agent goes on (streaming 9)."""

import httpx
import pytest
from letta_client import Letta

from tests.contract.conftest import MakeAgent
from tests.contract.reading import assert_whole, content_of, error_type_of, frames
from tests.contract.rubbish import KINDS
from tests.fixtures.servers import Server

KNOWN = {"llm_error", "llm_empty_response", "llm_bad_request"}


@pytest.mark.rule("G-15", "G-14", "G-3", "G-8", "streaming-9.3", "api-10.6")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streaming", [False, True])
def test_rubbish_is_a_typed_failure_and_is_not_kept(
    http: httpx.Client,
    letta: Letta,
    make_agent: MakeAgent,
    server: Server,
    kind: str,
    streaming: bool,
) -> None:
    agent = make_agent(model="vllm/rubbish")
    options = {"streaming": True, "stream_tokens": True} if streaming else {}
    body = {"input": f"RUBBISH {kind}", **options}
    answer = http.post(f"/v1/agents/{agent.id}/messages", json=body)
    if streaming:
        assert answer.status_code == 200
        assert_whole(frames(answer.text))
    else:
        assert answer.status_code in {400, 500}
        assert answer.headers["x-should-retry"] == "false"
    assert error_type_of(answer) in KNOWN
    run = letta.runs.retrieve(answer.headers["x-letta-run-id"])
    assert run.status == "failed"
    letta.agents.update(agent.id, model="openai/scripted-1")
    assert letta.agents.messages.create(agent.id, input="SAY well").usage.step_count == 1
    said = [content_of(part) for part in letta.agents.messages.list(agent.id).items[1:]]
    assert said == [f"RUBBISH {kind}", "SAY well", "well"]
    assert server.faults() == []
