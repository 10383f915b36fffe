"""Templates through the official client: versions of an agent, and agents made from them."""

from typing import Any, cast

import httpx
import pytest
from letta_client import APIStatusError, AsyncLetta

from tests.http.test_batches import got

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-25.2")]

FIELDS = (
    "agent_type",
    "system",
    "model",
    "model_settings",
    "embedding",
    "compaction_settings",
    "tool_rules",
    "description",
    "metadata",
    "timezone",
    "response_format",
    "context_window_limit",
)


async def source(letta: AsyncLetta) -> str:
    """Make an agent with slots in its memory and settings of its own; return its id."""
    made = await letta.agents.create(
        name="Original",
        model="openai/scripted-1",
        system="You greet people.",
        memory_blocks=[
            {"label": "human", "value": "Name: {{ name }}. City: {{city}}.", "limit": 200},
            {"label": "rules", "value": "Be {{tone}}.", "read_only": True},
        ],
        tags=["greeter"],
        timezone="Europe/Rome",
        metadata={"kind": "greeter"},
        context_window_limit=16_000,
        include_base_tools=False,
    )
    return made.id


async def blocks(http: httpx.AsyncClient, agent_id: str) -> dict[str, str]:
    agent = await got(http, f"/v1/agents/{agent_id}", include="agent.blocks")
    return {block["label"]: block["value"] for block in agent["blocks"]}


async def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(APIStatusError) as caught:
        await call
    return caught.value.status_code, caught.value.response.text


async def test_an_agent_from_a_template_is_like_the_first_but_its_own(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    policies = {
        "policies": [{"effect": "deny", "tool": "wipe_*"}],
        "webhook_url": "http://a.example/",
    }
    put = await http.put(f"/v1/agents/{first}/call-policies", json=policies)
    made = await strict.templates.create(agent_id=first, type="agent", name="greeter")
    assert (made.name, made.latest_version) == ("greeter", "1")
    assert made.template_deployment_slug == "default/greeter:1"
    answer = await strict.templates.agents.create(
        "greeter:1",
        agent_name="Copy",
        tags=["new", "greeter"],
        memory_variables={"name": "Ann {{city}}", "city": "Bern", "unused": "x"},
        initial_message_sequence=[{"role": "user", "content": "Hello from before."}],
    )
    (agent_id,) = answer.agent_ids
    assert answer.deployment_id.startswith("deployment-")
    old, new = await got(http, f"/v1/agents/{first}"), await got(http, f"/v1/agents/{agent_id}")
    assert {name: new.get(name) for name in FIELDS} == {name: old.get(name) for name in FIELDS}
    assert await got(http, f"/v1/agents/{agent_id}/call-policies") == put.json()
    assert (new["name"], new["tags"]) == ("Copy", ["greeter", "new"])
    assert (new["base_template_id"], new["deployment_id"]) == (made.id, answer.deployment_id)
    assert await blocks(http, agent_id) == {
        "human": "Name: Ann {{city}}. City: Bern.",
        "rules": "Be {{tone}}.",
    }
    held = {block["label"]: block for block in new["blocks"]}
    assert (held["human"]["limit"], held["rules"]["read_only"]) == (200, True)
    assert {block["id"] for block in old["blocks"]}.isdisjoint(
        block["id"] for block in new["blocks"]
    )
    said = (await http.get(f"/v1/agents/{agent_id}/messages")).json()
    assert [one["message_type"] for one in said] == ["system_message", "user_message"]
    listed = (await http.get("/v1/agents/", params={"base_template_id": made.id})).json()
    assert [one["id"] for one in listed] == [agent_id]


async def test_an_agent_from_a_template_can_belong_to_somebody_and_have_secrets(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="greeter")
    fields = {"identifier_key": "ada", "identity_type": "user", "name": "Ada"}
    ada = (await http.post("/v1/identities/", json=fields)).json()["id"]
    (agent_id,) = (
        await strict.templates.agents.create(
            "greeter:1", identity_ids=[ada], tool_variables={"KEY": "hunter2"}
        )
    ).agent_ids
    asked = {"include": ["agent.identities", "agent.secrets"]}
    made = (await http.get(f"/v1/agents/{agent_id}", params=asked)).json()
    assert made["identity_ids"] == [ada]
    assert [(one["key"], one["value"]) for one in made["secrets"]] == [("KEY", "hunter2")]


async def test_an_agent_is_made_of_a_template_by_its_deprecated_name_too(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    template = await strict.templates.create(agent_id=first, type="agent", name="greeter")
    made = await strict.agents.create(
        from_template="default/greeter:1",
        name="Copy",
        tags=["new"],
        memory_variables={"name": "Ann", "city": "Bern"},
        secrets={"KEY": "hunter2"},
        initial_message_sequence=[{"role": "user", "content": "Hello from before."}],
        project="anything",
    )
    assert (made.name, made.tags, made.base_template_id) == (
        "Copy",
        ["greeter", "new"],
        template.id,
    )
    old, new = await got(http, f"/v1/agents/{first}"), await got(http, f"/v1/agents/{made.id}")
    assert {name: new.get(name) for name in FIELDS} == {name: old.get(name) for name in FIELDS}
    assert (await blocks(http, made.id))["human"] == "Name: Ann. City: Bern."
    assert [(one["key"], one["value"]) for one in new["secrets"]] == [("KEY", "hunter2")]
    assert len(new["message_ids"]) == 2


@pytest.mark.rule("api-6.5")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"from_template": "none:1"}, "no such template"),
        ({"from_template": "greeter:1", "system": "Mine.", "tools": ["x"]}, "says system, tools"),
        ({"memory_variables": {"name": "Ann"}}, "from_template"),
        ({"template": True}, "templates.create"),
        ({"include_default_source": True}, "folder_ids"),
    ],
)
async def test_no_deprecated_field_is_passed_over(
    strict: AsyncLetta, given: dict[str, Any], said: str
) -> None:
    status, text = await refused(strict.agents.create(**given))
    assert (status, said in text) == (404 if "none:1" in str(given) else 400, True), text


async def test_versions_are_saved_made_from_and_gone_back_to(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="v")
    await strict.agents.blocks.update("rules", agent_id=first, value="Be two.")
    saved = await strict.templates.save("v", message="Another tone.")
    assert saved.latest_version == "2"
    await strict.agents.blocks.update("rules", agent_id=first, value="Be working.")

    async def rules(version: str) -> str:
        answer = await strict.templates.agents.create(version)
        return (await blocks(http, answer.agent_ids[0]))["rules"]

    assert [await rules(f"v:{one}") for one in ("1", "2", "latest", "current")] == [
        "Be {{tone}}.",
        "Be two.",
        "Be two.",
        "Be working.",
    ]
    assert await rules("v") == "Be two."
    # What was not saved is saved first, and going back twice saves nothing more.
    for _ in range(2):
        assert (await strict.templates.rollback("v", version="1")).success
    found = await got(http, "/v1/templates/default/v/versions")
    assert [one["version"] for one in found["versions"] if one["is_latest"]] == ["3"]
    assert found["versions"][1]["message"] == "Another tone."
    assert [await rules(f"v:{one}") for one in ("3", "current")] == ["Be working.", "Be {{tone}}."]
    # From now on the agent does not matter.
    await strict.agents.blocks.update("rules", agent_id=first, value="Be ignored.")
    assert (await strict.templates.save("v")).latest_version == "4"
    assert await rules("v:latest") == "Be {{tone}}."


async def test_a_template_outlives_its_agent_and_agents_outlive_their_template(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="t")
    await strict.agents.delete(first)
    copy = (await strict.templates.agents.create("t:current")).agent_ids[0]
    assert (await strict.templates.save("t")).latest_version == "2"
    assert (await strict.templates.delete("t")).success
    assert (await strict.agents.retrieve(copy)).id == copy
    assert (await refused(strict.templates.agents.create("t:1")))[0] == 404
    assert (await refused(strict.templates.delete("t")))[0] == 404


async def exported(http: httpx.AsyncClient, agent_id: str) -> dict[str, Any]:
    return await got(http, f"/v1/agents/{agent_id}/export")


async def test_a_template_of_a_file_makes_agents_like_the_one_in_it(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    tool = await strict.tools.create(
        source_code='def shout(text: str) -> str:\n    """Shout.\n\n    Args:\n        text: What.\n'
        '    """\n    return text.upper()\n'
    )
    await strict.agents.tools.attach(tool.id, agent_id=first)
    file, old = await exported(http, first), await got(http, f"/v1/agents/{first}")
    await strict.agents.delete(first)
    await strict.tools.delete(tool.id)
    made = await strict.templates.create(agent_file=file, type="agent_file", name="filed")
    assert (made.name, made.latest_version) == ("filed", "1")
    assert (await strict.agents.list()).items == []
    (agent_id,) = (await strict.templates.agents.create("filed:1")).agent_ids
    new = await got(http, f"/v1/agents/{agent_id}", include="agent.tools")
    assert {name: new.get(name) for name in FIELDS} == {name: old.get(name) for name in FIELDS}
    assert await blocks(http, agent_id) == {
        "human": "Name: {{ name }}. City: {{city}}.",
        "rules": "Be {{tone}}.",
    }
    assert [one["name"] for one in new["tools"]] == ["shout"]


async def test_a_file_takes_the_place_of_the_working_version(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="moving")
    file = await exported(http, first)
    file["agents"][0]["system"] = "You say goodbye."
    assert (await strict.templates.update("moving", agent_file_json=file)).success

    async def system(version: str) -> str:
        (agent_id,) = (await strict.templates.agents.create(f"moving:{version}")).agent_ids
        return str((await got(http, f"/v1/agents/{agent_id}"))["system"])

    assert [await system("current"), await system("1")] == ["You say goodbye.", "You greet people."]
    file["agents"][0]["system"] = "You are silent."
    updated = strict.templates.update("moving", agent_file_json=file, save_existing_changes=True)
    assert (await updated).success
    found = [await system(version) for version in ("latest", "2", "current")]
    assert found == ["You say goodbye.", "You say goodbye.", "You are silent."]


async def test_a_file_that_says_nothing_makes_no_template(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="taken")
    file = await exported(http, first)
    nobody: dict[str, object] = {**file, "agents": []}
    for status, call in (
        (400, strict.templates.create(type="agent_file", name="f", agent_file=nobody)),
        (400, strict.templates.create(type="agent_file", name="f", agent_file={"agents": 3})),
        (409, strict.templates.create(type="agent_file", name="taken", agent_file=file)),
        (400, strict.templates.update("taken", agent_file_json=nobody)),
        (404, strict.templates.update("unknown", agent_file_json=file)),
    ):
        assert (await refused(call))[0] == status
    assert len((await got(http, "/v1/templates"))["templates"]) == 1


async def test_what_is_refused(strict: AsyncLetta, http: httpx.AsyncClient) -> None:
    first = await source(strict)
    await strict.templates.create(agent_id=first, type="agent", name="taken")
    status, text = await refused(
        strict.templates.create(agent_id=first, type="agent", name="taken")
    )
    assert (status, "of this name" in text) == (409, True)
    for version, expected in (("current", 400), ("dev", 400), ("9", 404), ("x", 404), ("-1", 404)):
        assert (await refused(strict.templates.rollback("taken", version=version)))[0] == expected
    assert (await refused(strict.templates.rollback("other", version="1")))[0] == 404
    assert (await refused(strict.templates.save("other")))[0] == 404
    assert (await refused(strict.templates.save("taken", migrate_agents=True)))[0] == 422
    nobody = "identity-00000000-0000-4000-8000-000000000001"
    for given, expected in (
        ({"identity_ids": ["x"]}, 422),
        ({"identity_ids": [nobody]}, 404),
        ({"tool_variables": {"A=B": "x"}}, 422),
    ):
        call = strict.templates.agents.create("taken:1", **cast("Any", given))
        assert (await refused(call))[0] == expected
    unknown = "agent-00000000-0000-4000-8000-000000000001"
    assert (await refused(strict.templates.create(agent_id=unknown, type="agent")))[0] == 404
    bad = await http.post("/v1/templates", json={"type": "agent", "agent_id": first, "name": "a:b"})
    assert bad.status_code == 422
    assert (await http.post("/v1/templates", json={"type": "agent"})).status_code == 400
    full = await refused(
        strict.templates.agents.create("taken:1", memory_variables={"name": "x" * 300})
    )
    assert (full[0], "limit" in full[1]) == (422, True)


async def test_templates_are_listed_page_by_page(
    strict: AsyncLetta, http: httpx.AsyncClient
) -> None:
    first = await source(strict)
    made = [
        (await strict.templates.create(agent_id=first, type="agent", name=f"Name {place}")).id
        for place in range(3)
    ]
    page = await got(http, "/v1/templates", limit=2)
    assert ([one["id"] for one in page["templates"]], page["has_next_page"]) == (made[:0:-1], True)
    rest = await got(http, "/v1/templates", limit=2, after=made[1])
    assert ([one["id"] for one in rest["templates"]], rest["has_next_page"]) == (made[:1], False)
    found = await got(http, "/v1/templates", search="NAME 1")
    assert [one["id"] for one in found["templates"]] == [made[1]]
    named = await strict.templates.create(agent_id=first, type="agent")
    assert named.name
    by_slug = await http.post(f"/v1/templates/{named.template_deployment_slug}/agents", json={})
    assert by_slug.status_code == 201


@pytest.mark.rule("api-25.4")
async def test_environments_are_not_served(strict: AsyncLetta) -> None:
    for call in (
        strict.environments.list(),
        strict.environments.retrieve("device"),
        strict.environments.send_message(
            "connection", messages=cast("Any", [{"role": "user", "content": "Hello."}])
        ),
    ):
        with pytest.raises(APIStatusError, match="hosted service") as caught:
            await call
        assert caught.value.status_code == 501
        assert caught.value.response.headers["x-should-retry"] == "false"
