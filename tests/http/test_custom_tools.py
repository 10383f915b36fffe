"""Tools that people make, over HTTP: stored, changed, found and removed."""

from typing import Any, Final

import pytest
from letta_client.types import Tool, ToolSearchResult

from eunoe.domain.base_tools import rule
from eunoe.tools.builtin import builtin_tools
from tests.fixtures.apis import Api
from tests.http.test_tools import UNKNOWN, tool_id

pytestmark = pytest.mark.anyio

TOOLS: Final = "/v1/tools/"
ROLL: Final = '''
def roll(sides: int, times: int = 1) -> list[int]:
    """Roll a die.

    Args:
        sides: How many sides it has.
        times: How often.
    """
    return [4] * times
'''
ROLL_SCHEMA: Final = {
    "name": "roll",
    "description": "Roll a die.",
    "parameters": {
        "type": "object",
        "properties": {
            "sides": {"type": "integer", "description": "How many sides it has."},
            "times": {"type": "integer", "description": "How often.", "default": 1},
        },
        "required": ["sides"],
    },
}
GREET: Final = {
    "name": "greet",
    "description": "Greet somebody.",
    "parameters": {"type": "object", "properties": {"whom": {"type": "string"}}},
    "strict": False,
}


REFUSED: Final[list[tuple[int, dict[str, Any], str]]] = [
    (400, {"source_code": "def tool(:"}, "line 1"),
    (400, {"source_code": "x = 1"}, "top level"),
    (400, {"source_code": "def tool(a): pass"}, "docstring"),
    (400, {"source_code": "pass", "json_schema": {"parameters": {}}}, "`name`"),
    (400, {"source_code": "pass", "json_schema": {"name": "a b"}}, "`a b`"),
    (400, {"source_code": f"def {'x' * 65}():\n  '''X.'''"}, "64"),
    (400, {"source_code": "pass", "json_schema": {"name": "a", "parameters": 1}}, "object"),
    (400, {"source_code": "f()", "source_type": "json"}, "json_schema"),
    (400, {"source_code": "f()", "source_type": "typescript", "args_json_schema": {}}, "export"),
    (422, {"source_code": ROLL, "source_type": "perl"}, "typescript"),
    (422, {}, "source_code"),
    (422, {"source_code": ROLL, "return_char_limit": 0}, "return_char_limit"),
    (422, {"source_code": ROLL, "return_char_limit": 1_000_001}, "return_char_limit"),
    (422, {"source_code": ROLL, "pip_requirements": [{"name": ""}]}, "pip_requirements"),
    (422, {"source_code": ROLL, "name": "roll"}, "name"),
]


async def refused(api: Api, method: str, path: str, status: int, **body: Any) -> str:
    reply = await api.sdk.request(method, path, json=body)
    assert reply.status_code == status, reply.text
    return str(reply.json()["detail"])


async def changed(api: Api, one: dict[str, Any], **body: Any) -> dict[str, Any]:
    reply = await api.sdk.patch(f"{TOOLS}{one['id']}", json=body)
    assert reply.status_code == 200, reply.text
    assert await api.got(f"{TOOLS}{one['id']}") == reply.json()
    made: dict[str, Any] = reply.json()
    return made


@pytest.mark.rule("api-13.1", "api-13.2", "X14", "X16")
async def test_a_source_becomes_a_tool(api: Api) -> None:
    made = await api.made(TOOLS, source_code=ROLL)
    Tool.model_validate(made)
    user = made["created_by_id"]
    assert made == {
        "id": made["id"],
        "name": "roll",
        "description": "Roll a die.",
        "tool_type": "custom",
        "source_type": "python",
        "source_code": ROLL,
        "json_schema": ROLL_SCHEMA,
        "args_json_schema": None,
        "tags": [],
        "return_char_limit": 50_000,
        "pip_requirements": None,
        "npm_requirements": None,
        "default_requires_approval": None,
        "enable_parallel_execution": False,
        "metadata_": {},
        "project_id": None,
        "created_by_id": user,
        "last_updated_by_id": user,
    }
    assert user.startswith("user-")
    assert await api.got(f"{TOOLS}{made['id']}") == made


@pytest.mark.rule("api-13.2", "X17", "api-1.10")
@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_name_is_stored_once_and_keeps_its_id(api: Api, method: str) -> None:
    """What the second request leaves out stays, and so do tags that it empties."""
    first = await api.sdk.request(
        method,
        TOOLS,
        headers={"X-Project-Id": "p"},
        json={
            "source_code": ROLL,
            "description": "For people.",
            "tags": ["dice", "dice"],
            "return_char_limit": 10,
            "pip_requirements": [{"name": "dice", "version": "1.0"}],
            "npm_requirements": [{"name": "left-pad"}],
            "default_requires_approval": True,
            "enable_parallel_execution": True,
        },
    )
    made = first.json()
    assert made["json_schema"] == ROLL_SCHEMA
    assert (made["description"], made["tags"], made["project_id"]) == ("For people.", ["dice"], "p")
    assert made["npm_requirements"] == [{"name": "left-pad", "version": None}]
    source = ROLL.replace("Roll a die", "Throw a die")
    again = (await api.sdk.request(method, TOOLS, json={"source_code": source, "tags": []})).json()
    assert again == made | {
        "source_code": source,
        "description": "Throw a die.",
        "json_schema": ROLL_SCHEMA | {"description": "Throw a die."},
    }
    assert await api.got(f"{TOOLS}count", name="roll") == 1


@pytest.mark.rule("api-13.2", "X16")
async def test_a_given_schema_is_kept_as_it_is(api: Api) -> None:
    made = await api.made(
        TOOLS, source_code="export const greet = () => 1", source_type="typescript",
        json_schema=GREET, description="Mine.",
    )  # fmt: skip
    assert (made["name"], made["description"], made["json_schema"]) == ("greet", "Mine.", GREET)
    arguments = {"type": "object", "properties": {"sides": {"type": "number"}}}
    rolled = await api.made(TOOLS, source_code=ROLL, args_json_schema=arguments)
    assert rolled["args_json_schema"] == arguments
    assert rolled["json_schema"] == ROLL_SCHEMA | {"parameters": arguments | {"required": []}}


@pytest.mark.rule("api-13.2", "api-3.2", "api-3.4", "X11", "X15", "X17")
async def test_what_is_no_tool_is_refused_with_the_reason(api: Api) -> None:
    for status, body, says in REFUSED:
        assert says in await refused(api, "POST", TOOLS, status, **body)
    assert await api.got(f"{TOOLS}count", tool_types="custom") == 1


@pytest.mark.rule("api-13.2", "api-27", "api-1.7")
async def test_a_tool_of_the_server_is_not_overwritten(api: Api) -> None:
    before = await api.got(TOOLS)
    for name in ("send_message", "wipe_disk"):
        source = f'def {name}():\n    """Mine."""'
        reply = await api.sdk.put(TOOLS, json={"source_code": source})
        assert (reply.status_code, reply.headers["x-should-retry"]) == (409, "false")
    assert await api.got(TOOLS) == before


@pytest.mark.rule("api-13.4", "api-4.6", "api-4.7", "X19")
async def test_a_change_leaves_what_it_does_not_say(api: Api) -> None:
    made = await api.made(TOOLS, source_code=ROLL, enable_parallel_execution=True)
    assert await changed(api, made) == made
    assert await changed(api, made, description=None, tags=None, unheard_of=1) == made
    source = ROLL.replace("times: int = 1", "times: int = 2")
    said = {
        "source_code": source,
        "tags": ["a"],
        "metadata_": {"k": [1]},
        "return_char_limit": 7,
        "default_requires_approval": False,
        "pip_requirements": [{"name": "dice", "version": None}],
    }
    assert await changed(api, made, **said) == made | said
    cleared = await changed(api, made, tags=[], pip_requirements=[])
    assert (cleared["tags"], cleared["pip_requirements"]) == ([], None)


@pytest.mark.rule("api-13.4", "X19")
async def test_a_schema_renames_and_arguments_rebuild(api: Api) -> None:
    made = await api.made(TOOLS, source_code=ROLL)
    arguments: dict[str, Any] = {"type": "object", "properties": {"sides": {"type": "number"}}}
    arguments["required"] = []
    rebuilt = await changed(api, made, args_json_schema=arguments)
    assert rebuilt["json_schema"] == ROLL_SCHEMA | {"parameters": arguments}
    greeting = await changed(api, made, json_schema=GREET, args_json_schema=arguments)
    assert (greeting["name"], greeting["json_schema"]) == ("greet", GREET)
    assert greeting["description"] == "Greet somebody."
    # It was made from no function of its new name, so any source goes.
    assert (await changed(api, made, source_code="def f(): ..."))["name"] == "greet"
    again = await api.made(TOOLS, source_code=ROLL)
    taken = await refused(api, "PATCH", f"{TOOLS}{again['id']}", 400, json_schema=GREET)
    assert "choose another name" in taken
    lost = await refused(api, "PATCH", f"{TOOLS}{again['id']}", 400, source_code="def f(): ...")
    assert "`roll`" in lost
    broken = await refused(api, "PATCH", f"{TOOLS}{again['id']}", 400, source_code="def roll(:")
    assert "not valid Python: line 1" in broken
    assert await api.got(f"{TOOLS}{again['id']}") == again


@pytest.mark.rule("api-13.4")
async def test_of_a_tool_of_the_server_only_some_things_are_changed(api: Api) -> None:
    insert = await api.got(f"{TOOLS}{await tool_id(api, 'memory_insert')}")
    said: dict[str, Any] = {"tags": ["mine"], "return_char_limit": 9, "metadata_": {"k": 1}}
    said["default_requires_approval"] = True
    after = await changed(
        api, insert, json_schema=GREET, description="No.", source_code=ROLL, **said
    )
    assert after == insert | said | {"last_updated_by_id": after["last_updated_by_id"]}
    # It comes up to date with the server and keeps what was said of it.
    (renewed,) = [
        one
        for one in (await api.sdk.post(f"{TOOLS}add-base-tools")).json()
        if one["name"] == "memory_insert"
    ]
    assert renewed["description"] != insert["description"]
    assert {field: renewed[field] for field in said} == said


@pytest.mark.rule("api-13.4", "api-3.2", "api-28")
async def test_a_deleted_tool_is_gone_from_agents_and_its_rules_stay(api: Api) -> None:
    made = await api.made(TOOLS, source_code=ROLL, default_requires_approval=True)
    agent = await api.agent(include_base_tools=False, tool_ids=[made["id"]])
    gone = await api.sdk.delete(f"{TOOLS}{made['id']}")
    assert (gone.status_code, gone.json()) == (200, None)
    left = await api.got(f"/v1/agents/{agent['id']}")
    assert (left["tools"], left["tool_rules"]) == ([], [rule("requires_approval", "roll")])
    for method in ("GET", "PATCH", "DELETE"):
        await refused(api, method, f"{TOOLS}{made['id']}", 404)
        await refused(api, method, f"{TOOLS}{UNKNOWN}", 404)


@pytest.mark.rule("api-13.5", "X20")
async def test_base_tools_come_back(api: Api) -> None:
    send = await tool_id(api, "send_message")
    await api.sdk.delete(f"{TOOLS}{send}")
    told = await refused(api, "POST", "/v1/agents/", 400, agent_type="memgpt_agent")
    assert "send_message" in told
    assert "POST /v1/tools/add-base-tools" in told
    for _ in range(2):
        reply = await api.sdk.post(f"{TOOLS}add-base-tools")
        assert [one["name"] for one in reply.json()] == [tool.name for tool in builtin_tools()]
    assert await tool_id(api, "send_message") != send
    # Another organization has none until it asks.
    assert await api.got(f"{TOOLS}count") == len(builtin_tools()) + 1


@pytest.mark.rule("api-13.5", "X20")
async def test_a_schema_is_derived_and_nothing_is_stored(api: Api) -> None:
    path = f"{TOOLS}generate-schema"
    assert await api.made(path, code=ROLL) == ROLL_SCHEMA
    assert await api.made(path, code=ROLL, source_type="python") == ROLL_SCHEMA
    assert "docstring" in await refused(api, "POST", path, 400, code="def f(): ...")
    await refused(api, "POST", path, 400, code="f()", source_type="typescript")
    await refused(api, "POST", path, 400, code="f()", source_type="perl")
    assert await api.got(f"{TOOLS}count", name="roll") == 0


@pytest.mark.rule("api-13.3", "X20", "FIX-43")
async def test_tools_are_found_by_their_words(api: Api) -> None:
    await api.made(TOOLS, source_code=ROLL, tags=["games"])
    mail = 'def send_mail(to: str):\n    """Write to people.\n\n    Args:\n        to: Address.\n    """'
    await api.made(TOOLS, source_code=mail, tags=["office"])

    async def search(**body: Any) -> list[str]:
        hits: Any = await api.made(f"{TOOLS}search", **body)
        for rank, hit in enumerate(hits, 1):
            ToolSearchResult.model_validate(hit)
            assert (hit["vector_rank"], hit["embedded_text"]) == (None, None)
            assert hit["fts_rank"] == (rank if body.get("query") else None)
            assert 0 <= hit["combined_score"] < 1
        return [hit["tool"]["name"] for hit in hits]

    assert await search(query="dice or a die") == ["roll"]
    assert await search(query="mails") == ["send_mail"]
    assert (await search(query="send", search_mode="vector"))[0] in {"send_mail", "send_message"}
    assert await search(query="sides") == ["roll"]
    assert await search(query="send", tool_types=["custom"]) == ["send_mail"]
    assert await search(query="send", tags=["games", "office"]) == ["send_mail"]
    assert await search(query="quark") == []
    assert (await search(limit=2)) == ["send_mail", "roll"]
    assert len(await search(query="what", limit=1)) == 1
    for bad in ({"limit": 0}, {"limit": 101}, {"search_mode": "magic"}, {"unheard_of": 1}):
        await refused(api, "POST", f"{TOOLS}search", 422, **bad)
    await refused(api, "POST", f"{TOOLS}search", 400, tool_types=["unheard_of"])
