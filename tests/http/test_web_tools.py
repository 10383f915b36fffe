"""The tools of the web, attached to an agent and called by its model."""

import json
from pathlib import Path

import pytest

from eunoe.service.sandboxes import executors_of
from eunoe.store.db import Database
from eunoe.testing.http_server import Request, json_response, response, serving
from eunoe.testing.scripted import call, say
from tests.http.talks import talking
from tests.tools.programs import sandboxed
from tests.tools.test_web import web

pytestmark = pytest.mark.anyio


def answer(request: Request) -> bytes:
    if request.path == "/search":
        return json_response({"results": [{"title": "Tea", "url": "https://t.org"}]})
    return response(200, b"<h1>Tea</h1><p>It is hot.", content_type="text/html")


@pytest.mark.rule("X37", "X39")
async def test_a_model_searches_the_web_and_reads_a_page(database: Database) -> None:
    async with (
        serving(answer) as url,
        web(EXA_API_KEY="k", EXA_BASE_URL=url) as reached,
        talking(database, web=reached) as talk,
    ):
        agent = await talk.agent("letta_v1_agent")
        for name in ("web_search", "fetch_webpage"):
            (tool,) = (await talk.letta.tools.list(name=name)).items
            assert tool.tool_type == "letta_builtin"
            await talk.letta.agents.tools.attach(tool.id or "", agent_id=agent.id)
        model = talk.script(
            call(("web_search", {"query": "tea"})),
            call(("fetch_webpage", {"url": f"{url}/tea"})),
            say("It is hot."),
        )
        heard = await talk.send(agent.id, "steps")
        returns = [row for row in heard.rows if row["message_type"] == "tool_return_message"]
        found, page = [one["tool_return"] for row in returns for one in row["tool_returns"]]
        assert json.loads(found)["results"][0]["url"] == "https://t.org"
        assert page == "# Tea\n\nIt is hot."
        assert "It is hot." in repr(model.requests[2].messages[-1])
        alone = await talk.letta.agents.tools.run(
            "web_search", agent_id=agent.id, args={"query": "t"}
        )
        assert alone.status == "success"


@pytest.mark.rule("X40")
async def test_a_model_works_on_pages_in_code(database: Database, tmp_path: Path) -> None:
    async with (
        serving(answer) as url,
        web() as reached,
        sandboxed(tmp_path) as sandbox,
        talking(database, executors_of(database, sandbox), web=reached) as talk,
    ):
        agent = await talk.agent("letta_v1_agent", tools=["run_code_with_tools", "fetch_webpage"])
        code = f"pages = [fetch_webpage({url!r} + '/' + str(n)) for n in range(3)]\nprint(len(pages))\npages[2][:5]"
        talk.script(call(("run_code_with_tools", {"code": code})), say("Tea."))
        heard = await talk.send(agent.id, "tokens")
        (row,) = [one for one in heard.rows if one["message_type"] == "tool_return_message"]
        said = json.loads(row["tool_return"])
        assert said == {
            "status": "success",
            "func_return": "# Tea",
            "stdout": ["3\n"],
            "stderr": [],
        }
        alone = await talk.letta.agents.tools.run(
            "run_code_with_tools", agent_id=agent.id, args={"code": f"fetch_webpage({url!r})"}
        )
        assert "It is hot." in str(alone.func_return)
