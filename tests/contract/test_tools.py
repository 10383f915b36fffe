"""Custom tools through the official clients (api 6.50, 13)."""

from typing import Any

import httpx
import pytest
from letta_client import BadRequestError, ConflictError, Letta, NotFoundError
from letta_client.types import AgentState

SOURCE = '''
async def {name}(topic: str, depth: int = 1, tags: list[str] | None = None) -> str:
    """Look a topic up.

    Args:
        topic: What to look up, a {name}.
        depth: How deep.
        tags: Only under these.
    """
    return topic
'''


@pytest.mark.rule("api-13.1", "api-13.2", "api-13.3", "api-13.4", "FIX-73")
def test_the_life_of_a_tool(client: Letta, tag: str) -> None:
    source = SOURCE.format(name=tag)
    made = client.tools.create(source_code=source, tags=[tag], return_char_limit=100)
    schema: Any = made.json_schema
    assert (made.name, made.description, made.tool_type) == (tag, "Look a topic up.", "custom")
    assert list(schema["parameters"]["properties"]) == ["topic", "depth", "tags"]
    assert schema["parameters"]["required"] == ["topic"]
    again = client.tools.upsert(
        source_code=source, pip_requirements=[{"name": "six"}], default_requires_approval=False
    )
    assert (again.id, again.tags, again.return_char_limit) == (made.id, [tag], 100)
    changed = client.tools.update(made.id, metadata={"k": 1}, description="For people.")
    assert (changed.metadata, changed.description) == ({"k": 1}, "For people.")
    assert (changed.json_schema, changed.pip_requirements) == (schema, again.pip_requirements)
    assert client.tools.retrieve(made.id) == changed
    assert [one.id for one in client.tools.list(name=tag)] == [made.id]
    (hit,) = client.tools.search(query=tag, tags=[tag])
    assert (hit.tool, hit.fts_rank, hit.vector_rank) == (changed, 1, None)
    with pytest.raises(BadRequestError, match="docstring"):
        client.tools.create(source_code="def tool(a): pass")
    with pytest.raises(ConflictError):
        client.tools.create(source_code='def send_message():\n    """Mine."""')
    client.tools.delete(made.id)
    with pytest.raises(NotFoundError):
        client.tools.retrieve(made.id)


@pytest.mark.rule("api-6.50", "X34")
def test_tools_of_an_agent(client: Letta, agent: AgentState, tag: str) -> None:
    made = client.tools.create(source_code=SOURCE.format(name=tag))
    client.agents.tools.attach(made.id, agent_id=agent.id)
    client.agents.tools.update_approval(tag, agent_id=agent.id, body_requires_approval=True)
    assert tag in [one.name for one in client.agents.tools.list(agent.id)]
    edit: dict[str, object] = {"label": "human", "old_string": "Ada", "new_string": "Grace"}
    ran = client.agents.tools.run("memory_replace", agent_id=agent.id, args=edit)
    assert (ran.status, ran.func_return, ran.stderr) == ("success", "Name: Grace", [])
    assert client.agents.blocks.retrieve("human", agent_id=agent.id).value == "Name: Grace"
    failed = client.agents.tools.run("memory_replace", agent_id=agent.id, args=edit)
    assert (failed.status, failed.func_return) == ("error", None)
    assert failed.stderr
    client.agents.tools.detach(made.id, agent_id=agent.id)
    with pytest.raises(NotFoundError):
        client.agents.tools.run(tag, agent_id=agent.id)
    client.tools.delete(made.id)


@pytest.mark.rule("api-13.5", "X33")
def test_what_no_client_has_a_method_for(http: httpx.Client, tag: str) -> None:
    source = SOURCE.format(name=tag)
    derived = http.post("/v1/tools/generate-schema", json={"code": source}).json()
    assert derived["name"] == tag
    base = http.post("/v1/tools/add-base-tools").json()
    assert {"send_message", "memory_insert"} <= {one["name"] for one in base}
    broken = http.post("/v1/tools/run", json={"source_code": "def f(", "args": {}})
    assert (broken.status_code, broken.json()["status"]) == (200, "error")
    assert http.get("/v1/tools/count", params={"name": tag}).json() == 0
