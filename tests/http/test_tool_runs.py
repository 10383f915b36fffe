"""Custom tools when they are called: by the agent's model, and by routes."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pytest
from letta_client.types import Tool, ToolReturnMessage
from letta_client.types.agents import ToolExecutionResult

from eunoe.domain.messages import Json, Text
from eunoe.engine.ports import ModelRequest
from eunoe.runs.surroundings import no_executor
from eunoe.store import block_versions
from eunoe.store.db import Actor, Database
from eunoe.testing.scripted import call, say
from eunoe.tools.programs import Program, Ran, Requirement
from tests.http.talks import Talk, talking
from tests.http.test_custom_tools import ROLL

pytestmark = pytest.mark.anyio

Behaviour: TypeAlias = Callable[[Program, Json], Ran]
NOTE = '''
def note(agent_state, text: str, agent_id: str = ""):
    """Note something.

    Args:
        text: What.
    """
'''


@dataclass
class Sandbox:
    """Runs nothing: remembers what it was given, and answers as it is told to."""

    behave: Behaviour = lambda program, arguments: Ran(ok=True, output=f"ran {program.name}")
    ran: list[tuple[Program, Json]] = field(default_factory=list[tuple[Program, Json]])

    async def run(self, program: Program, *, arguments: Json) -> Ran:
        self.ran.append((program, arguments))
        return self.behave(program, arguments)


@asynccontextmanager
async def served(database: Database, sandbox: Sandbox | None) -> AsyncGenerator[Talk]:
    async with talking(database, no_executor if sandbox is None else lambda _: sandbox) as talk:
        yield talk


async def agent_with(talk: Talk, *sources: str, **fields: Any) -> Any:
    made = [(await talk.letta.tools.create(source_code=source)).id for source in sources]
    return await talk.agent("letta_v1_agent", tool_ids=made, **fields)


async def run(talk: Talk, agent: Any, name: str, **args: Any) -> dict[str, Any]:
    reply = await talk.http.post(f"/v1/agents/{agent.id}/tools/{name}/run", json={"args": args})
    assert reply.status_code == 200, reply.text
    ToolExecutionResult.model_validate(reply.json())
    ran: dict[str, Any] = reply.json()
    return ran


@pytest.mark.rule("X1", "X14", "X30")
async def test_the_model_is_offered_a_custom_tool_and_its_calls_are_run(database: Database) -> None:
    told = Ran(ok=True, output={"eyes": [4]}, stdout=("rolling",), stderr=("careful",))
    sandbox = Sandbox(lambda program, arguments: told)
    async with served(database, sandbox) as talk:
        agent = await agent_with(talk, ROLL, project_id="p")
        model = talk.script(call(("roll", {"sides": 6})), say("Four."))
        heard = await talk.send(agent.id, "steps")
        (offered,) = [tool for tool in model.requests[0].tools if tool.name == "roll"]
        assert offered.description == "Roll a die."
        assert offered.parameters["required"] == ["sides"]
        (returned,) = [row for row in heard.rows if row["message_type"] == "tool_return_message"]
        assert (returned["status"], returned["tool_return"]) == ("success", '{"eyes": [4]}')
        assert (returned["stdout"], returned["stderr"]) == (["rolling"], ["careful"])
        ((program, arguments),) = sandbox.ran
        assert arguments == {"sides": 6}
        tool = (await talk.rows("/v1/tools/", name="roll"))[0]
        assert program == Program(
            name="roll",
            function="roll",
            source=ROLL,
            schema=offered.parameters,
            environment={
                "LETTA_AGENT_ID": agent.id,
                "LETTA_TOOL_ID": tool["id"],
                "LETTA_PROJECT_ID": "p",
                "PROJECT_ID": "p",
            },
            agent_id=agent.id,
        )


def seen(request: ModelRequest) -> str:
    """Return all that the model is sent, tool returns included."""
    return repr(request.messages[-1])


@pytest.mark.rule("X27", "api-6.50")
async def test_a_tool_that_is_given_the_memory_can_change_it(database: Database) -> None:
    def behave(program: Program, arguments: Json) -> Ran:
        state: Any = program.agent_state
        assert (state["tools"], state["tool_rules"]) == ([], [])
        labels = {one["label"]: one for one in state["memory"]["blocks"]}
        labels["human"]["value"] += arguments["text"]
        return Ran(ok=True, output="noted", agent_state=state, fingerprint="7")

    sandbox = Sandbox(behave)
    human = {"label": "human", "value": "Ada. "}
    async with served(database, sandbox) as talk:
        agent = await agent_with(talk, NOTE, memory_blocks=[human, {**human, "label": "persona"}])
        model = talk.script(call(("note", {"text": "Tea."})), say("Done."))
        await talk.send(agent.id, "blocking")
        assert "Ada. Tea." in repr(model.requests[1].messages[0])
        ran = await run(talk, agent, "note", text=" Cake.")
        assert (ran["status"], ran["func_return"]) == ("success", "noted")
        assert ran["sandbox_config_fingerprint"] == "7"
        kept = await talk.letta.agents.blocks.retrieve("human", agent_id=agent.id)
        assert kept.value == "Ada. Tea. Cake."
        async with database.read(Actor()) as tx:
            history = await block_versions.of(tx, [kept.id])
        assert [one.agent_id for one in history[1:]] == [agent.id] * 2
        assert history[-1].run_id is None


@pytest.mark.rule("X27", "FIX-25", "FIX-26", "FIX-27")
async def test_what_a_tool_may_not_write_is_told_it(database: Database) -> None:
    @dataclass
    class Slow(Sandbox):
        async def run(self, program: Program, *, arguments: Json) -> Ran:
            if arguments["text"] == "meanwhile":
                await talk.letta.agents.blocks.update("human", agent_id=agent.id, value="theirs")
            state: Any = program.agent_state
            state["memory"]["blocks"][0]["value"] = arguments["text"]
            return Ran(ok=True, output="noted", agent_state=state, stdout=("ran",))

    async with served(database, Slow()) as talk:
        human = {"label": "human", "value": "mine", "limit": 10}
        agent = await agent_with(talk, NOTE, memory_blocks=[human])
        lost = await run(talk, agent, "note", text="meanwhile")
        assert (lost["status"], lost["stdout"]) == ("error", ["ran"])
        assert "changed by somebody else" in lost["stderr"][0]
        assert (await run(talk, agent, "note", text="again"))["status"] == "success"
        full = await run(talk, agent, "note", text="more than ten")
        assert "13 characters" in full["stderr"][0]
        await talk.letta.agents.blocks.update("human", agent_id=agent.id, read_only=True)
        assert "read-only" in (await run(talk, agent, "note", text="no"))["stderr"][0]
        kept = await talk.letta.agents.blocks.retrieve("human", agent_id=agent.id)
        assert kept.value == "again"


@pytest.mark.rule("X12")
async def test_a_tool_of_the_memory_keeps_to_its_limit_too(database: Database) -> None:
    async with served(database, None) as talk:
        agent = await agent_with(talk, memory_blocks=[{"label": "human", "value": "Ada."}])
        (tool,) = await talk.rows("/v1/tools/", name="memory_insert")
        await talk.letta.tools.update(tool["id"], return_char_limit=4)
        ran = await run(talk, agent, "memory_insert", label="human", new_string="Likes tea.")
        assert ran["func_return"].startswith("Ada.... [")
        assert "15 > 4" in ran["func_return"]


@pytest.mark.rule("X3", "FIX-54")
async def test_where_no_code_is_run_a_call_says_so(database: Database) -> None:
    async with served(database, None) as talk:
        agent = await agent_with(talk, ROLL)
        model = talk.script(call(("roll", {"sides": 6})), say("Sorry."))
        heard = await talk.send(agent.id, "blocking")
        (returned,) = [row for row in heard.rows if row["message_type"] == "tool_return_message"]
        assert returned["status"] == "error"
        assert "not enabled on this server" in returned["tool_return"]
        assert "not enabled" in seen(model.requests[1])
        ran = await run(talk, agent, "roll", sides=6)
        assert ran["func_return"] is None
        assert "`roll` was not run" in ran["stderr"][0]


@pytest.mark.rule("X34", "api-6.50", "FIX-48")
async def test_an_attached_tool_is_run_by_its_name(database: Database) -> None:
    long = Ran(ok=True, output="x" * 60_000, fingerprint="7")
    sandbox = Sandbox(lambda program, arguments: long)
    async with served(database, sandbox) as talk:
        agent = await agent_with(talk, ROLL)
        before = await talk.listed(agent.id)
        ran = await run(talk, agent, "roll", sides=6)
        cut = ran.pop("func_return")
        assert cut.startswith("x" * 50_000 + "... ")
        assert "60000 > 50000" in cut
        assert ran == {
            "status": "success",
            "agent_state": None,
            "stdout": [],
            "stderr": [],
            "sandbox_config_fingerprint": "7",
        }
        sandbox.behave = lambda program, arguments: Ran(ok=False, output="Boom.", stdout=("o",))
        failed = await talk.http.post(f"/v1/agents/{agent.id}/tools/roll/run")
        assert failed.json() == {
            "status": "error",
            "func_return": None,
            "agent_state": None,
            "stdout": ["o"],
            "stderr": ["Boom."],
            "sandbox_config_fingerprint": None,
        }
        assert [arguments for _, arguments in sandbox.ran] == [{"sides": 6}, {}]
        for path in (
            f"{agent.id}/tools/other",
            "agent-00000000-0000-4000-8000-000000000009/tools/roll",
        ):
            assert (await talk.http.post(f"/v1/agents/{path}/run", json={})).status_code == 404
        assert await talk.listed(agent.id) == before
        assert await talk.rows("/v1/runs/", agent_id=agent.id) == []


@pytest.mark.rule("X34", "api-6.50", "M5")
async def test_a_built_in_tool_is_run_as_the_loop_runs_it(database: Database) -> None:
    async with served(database, None) as talk:
        agent = await talk.agent(
            "letta_v1_agent",
            memory_blocks=[{"label": "human", "value": "Ada"}],
            tools=["archival_memory_insert", "archival_memory_search"],
        )
        edit = {"label": "human", "old_string": "Ada", "new_string": "Grace"}
        ran = await run(talk, agent, "memory_replace", **edit)
        assert (ran["status"], ran["func_return"]) == ("success", "Grace")
        human = await talk.letta.agents.blocks.retrieve("human", agent_id=agent.id)
        assert human.value == "Grace"
        again = await run(talk, agent, "memory_replace", **edit)
        assert (again["status"], again["func_return"]) == ("error", None)
        assert "memory_replace" in again["stderr"][0]
        assert (await run(talk, agent, "archival_memory_insert", content="Tea."))[
            "status"
        ] == "success"
        found = await run(talk, agent, "archival_memory_search", query="tea")
        assert "Tea." in str(found["func_return"])
        # The next turn is told what the memory is now.
        model = talk.script(say("Hello."))
        await talk.send(agent.id, "blocking")
        assert "Grace" in repr(model.requests[0].messages[0])


@pytest.mark.rule("api-13.5")
async def test_a_model_writes_a_tool_and_nothing_is_stored(database: Database) -> None:
    async with served(database, None) as talk:

        async def generated(status: int, **body: Any) -> dict[str, Any]:
            asked: Json = {"tool_name": "roll", "prompt": "Roll a die.", "validation_errors": []}
            reply = await talk.http.post("/v1/tools/generate-tool", json=asked | body)
            assert reply.status_code == status, reply.text
            made: dict[str, Any] = reply.json()
            return made

        handed: Json = {
            "source_code": ROLL,
            "sample_args": '{"sides": 6}',
            "remarks": "It is fair.",
        }
        model = talk.script(call(("hand_in", handed)))
        faults = ["It was not fair."]
        made = await generated(
            200, handle="openai/m", starter_code="def roll(): ...", validation_errors=faults
        )
        Tool.model_validate(made["tool"])
        assert (made["tool"]["name"], made["tool"]["source_code"]) == ("roll", ROLL)
        assert (made["sample_args"], made["response"]) == ({"sides": 6}, "It is fair.")
        told = repr(model.requests[0].messages)
        assert all(text in told for text in ("Roll a die.", "def roll(): ...", *faults))
        assert model.requests[0].choice.name == "hand_in"
        assert await talk.rows("/v1/tools/", name="roll") == []
        talk.script(call(("hand_in", {**handed, "source_code": "def roll(a): ..."})))
        assert "docstring" in (await generated(400, handle="openai/m"))["detail"]
        talk.script(say("I would rather not."))
        assert (await generated(500, handle="openai/m"))["error"]["type"] == "llm_error"
        assert "handle" in (await generated(400))["detail"]
        await generated(422, prompt=None)


@pytest.mark.rule("X33", "api-13.5", "FIX-48")
async def test_a_source_is_run_and_not_stored(database: Database) -> None:
    def behave(program: Program, arguments: Json) -> Ran:
        output: Json = dict(program.environment)
        return Ran(ok=True, output=output, content=(Text(text="A die."),))

    sandbox = Sandbox(behave)
    async with served(database, sandbox) as talk:

        async def ran(status: int = 200, **body: Any) -> dict[str, Any]:
            reply = await talk.http.post("/v1/tools/run", json={"args": {}, **body})
            assert reply.status_code == status, reply.text
            if status == 200:
                ToolReturnMessage.model_validate(reply.json())
            made: dict[str, Any] = reply.json()
            return made

        made = await ran(
            source_code=ROLL,
            args={"sides": 6, "times": None},
            env_vars={"KEY": "v"},
            pip_requirements=[{"name": "dice", "version": "1"}],
        )
        assert (made["id"], made["tool_call_id"], made["name"]) == ("null", "null", "roll")
        assert (made["status"], made["tool_return"]) == ("success", '{"KEY": "v"}')
        assert made["message_type"] == "tool_return_message"
        assert made["tool_returns"][0]["tool_return"][0]["text"] == "A die."
        ((program, arguments),) = sandbox.ran
        assert (program.function, arguments) == ("roll", {"sides": 6})
        assert program.requirements == (Requirement(name="dice", version="1"),)
        schema: Json = {"name": "rolled", "parameters": {"type": "object", "properties": {}}}
        other = await ran(source_code=ROLL, name="mine", json_schema=schema)
        assert (other["name"], sandbox.ran[-1][0].function) == ("rolled", "roll")
        two = f'{ROLL}\ndef other():\n    """Other."""'
        assert (await ran(source_code=two, name="roll"))["name"] == "roll"
        assert (await ran(source_code="a", source_type="typescript", json_schema=schema))[
            "status"
        ] == "success"
        assert sandbox.ran[-1][0].language == "typescript"
        for broken in ("def f(:", "def f(a): ...", "x = 1"):
            failed = await ran(source_code=broken, name="f")
            assert (failed["status"], failed["name"]) == ("error", "f")
            assert failed["stderr"] == [failed["tool_return"]]
        await ran(400, source_code=ROLL, source_type="perl")
        await ran(422, source_code=ROLL, unheard_of=1)
        assert await talk.rows("/v1/tools/", name="roll") == []
