"""The configurations of the sandbox and their variables, and code that is run as they say."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxType
from eunoe.service.sandboxes import executors_of
from eunoe.store.db import Actor
from eunoe.tools.programs import Program, Ran, Requirement
from tests.fixtures.apis import Api
from tests.tools.programs import program, sandboxed

pytestmark = pytest.mark.anyio

BASE = "/v1/sandbox-config"


@pytest.mark.rule("api-23.1", "X21", "X32")
@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"pip_requirements": [{"name": "idna"}], "use_venv": True}, "local"),
        ({"template": "t"}, "e2b"),
        ({"language": "typescript"}, "modal"),
        ({}, "local"),
    ],
)
async def test_there_is_one_configuration_of_each_type(
    api: Api, given: dict[str, object], kind: str
) -> None:
    first = await api.made(f"{BASE}/", config=given)
    again = await api.made(f"{BASE}/", config=given)
    assert (first["type"], again["id"]) == (kind, first["id"])
    assert given.items() <= again["config"].items() or kind == "local"
    assert [one["id"] for one in await api.got(f"{BASE}/")] == [first["id"]]


@pytest.mark.rule("api-23.2")
async def test_defaults_are_made_once_and_changed_in_part(api: Api) -> None:
    local = await api.made(f"{BASE}/local/default")
    e2b = await api.made(f"{BASE}/e2b/default")
    assert (await api.made(f"{BASE}/local/default"))["id"] == local["id"]
    assert e2b["config"] == {"timeout": 300, "template": None, "pip_requirements": None}
    set_ = await api.made(f"{BASE}/local", use_venv=True, venv_name="mine")
    assert (set_["id"], set_["config"]["venv_name"]) == (local["id"], "mine")
    path = f"{BASE}/{local['id']}"
    reply = await api.sdk.patch(path, json={"config": {"pip_requirements": [{"name": "idna"}]}})
    assert reply.json()["config"]["venv_name"] == "mine"
    assert reply.json()["config"]["pip_requirements"] == [{"name": "idna", "version": None}]
    assert (await api.sdk.patch(path, json={"config": {"timeout": 5}})).status_code == 409
    assert (await api.sdk.patch(path, json={})).json()["config"] == reply.json()["config"]
    modal = await api.made(f"{BASE}/", config={"language": "typescript"})
    reply = await api.sdk.patch(f"{BASE}/{modal['id']}", json={"config": {"timeout": 120}})
    assert reply.json()["config"] == modal["config"] | {"timeout": 120}
    assert (await api.made(f"{BASE}/local/recreate-venv"))["id"] == local["id"]
    assert (await api.got(f"{BASE}/", sandbox_type="e2b"))[0]["id"] == e2b["id"]
    assert (await api.sdk.delete(path)).status_code == 204
    assert (await api.sdk.delete(path)).status_code == 404


@pytest.mark.rule("api-23.3")
async def test_variables_are_shown_in_clear_and_stored_sealed(api: Api) -> None:
    local = await api.made(f"{BASE}/local/default")
    path = f"{BASE}/{local['id']}/environment-variable"
    made = await api.made(path, key="TOKEN", value="s3cret", description="of a service")
    again = await api.made(path, key="TOKEN", value="n3w")
    other = await api.made(path, key="OTHER", value="")
    assert (again["id"], again["value"], again["description"]) == (made["id"], "n3w", None)
    assert [one["key"] for one in await api.got(path)] == ["TOKEN", "OTHER"]
    assert [one["key"] for one in await api.got(path, after=made["id"])] == ["OTHER"]
    one = f"{BASE}/environment-variable/{made['id']}"
    reply = await api.sdk.patch(one, json={"value": "n3wer", "key": None})
    assert (reply.json()["key"], reply.json()["value"]) == ("TOKEN", "n3wer")
    assert (await api.sdk.patch(one, json={"key": "OTHER"})).status_code == 409
    async with api.db.read(Actor()) as tx:
        stored = await tx.fetch("SELECT sealed FROM sandbox_variables")
    assert "n3wer" not in str(stored)
    assert (await api.sdk.delete(one)).status_code == 204
    assert (await api.sdk.delete(one)).status_code == 404
    assert [one["id"] for one in await api.got(path)] == [other["id"]]
    reply = await api.sdk.post(path, json={"key": "not a name", "value": ""})
    assert reply.status_code == 422


async def test_another_organization_s_configuration_is_not_there(api: Api) -> None:
    local = await api.made(f"{BASE}/local/default")
    stranger = replace(Actor(), organization_id="org-00000000-0000-4000-8000-000000000009")
    async with api.db.write(stranger) as tx:
        rows = await tx.fetch(
            "SELECT id FROM sandbox_configs WHERE organization_id = $1", stranger.organization_id
        )
    assert rows == []
    assert (await api.got(f"{BASE}/"))[0]["id"] == local["id"]


@pytest.mark.rule("X30", "X32", "X2")
async def test_code_finds_the_variables_of_its_organization(api: Api, tmp_path: Path) -> None:
    local = await api.made(f"{BASE}/local/default")
    path = f"{BASE}/{local['id']}/environment-variable"
    await api.made(path, key="PLACE", value="sandbox")
    await api.made(path, key="OWN", value="sandbox")
    source = "import os\ndef act():\n  return [os.environ.get(name) for name in ('PLACE', 'OWN')]"
    asked = program(source, environment={"OWN": "agent"})
    stranger = replace(Actor(), organization_id="org-00000000-0000-4000-8000-000000000009")
    async with sandboxed(tmp_path) as sandbox:
        executors = executors_of(api.db, sandbox)
        ran = await executors(Actor()).run(asked, arguments={})
        theirs = await executors(stranger).run(asked, arguments={})
    assert ran.output == "['sandbox', 'agent']", ran
    assert theirs.output == "[None, 'agent']"
    assert ran.fingerprint is not None
    assert ran.fingerprint.isdecimal()
    assert ran.fingerprint != theirs.fingerprint


@dataclass
class Noting:
    """Notes what it is given to run, at a provider."""

    kind: SandboxType
    last: Program | None = None

    async def run(
        self, program: Program, *, arguments: Json, variables: Mapping[str, str] | None = None
    ) -> Ran:
        self.last = program
        return Ran(ok=True, output="")


@pytest.mark.rule("X21", "X22")
async def test_code_elsewhere_is_run_as_the_configuration_of_that_provider_says(api: Api) -> None:
    lines = ["idna", "attrs >=1,<2", "black==3"]
    await api.made(f"{BASE}/", config={"template": "t", "pip_requirements": lines, "timeout": 9})
    npm = ["@scope/one@^1.0", "two", "three@2"]
    await api.made(f"{BASE}/", config={"npm_requirements": npm, "language": "python"})
    asked = program("def act(): pass", requirements=(Requirement(name="own"),))
    at_e2b, at_modal = Noting("e2b"), Noting("modal")
    for noting in (at_e2b, at_modal):
        await executors_of(api.db, noting)(Actor()).run(asked, arguments={})
    assert at_e2b.last is not None
    assert at_modal.last is not None
    assert [(one.name, one.version or None) for one in at_e2b.last.requirements] == [
        ("idna", None),
        ("attrs", ">=1,<2"),
        ("black", "==3"),
        ("own", None),
    ]
    assert (at_e2b.last.template, at_e2b.last.timeout_s) == ("t", 9)
    assert [(one.name, one.version or None) for one in at_modal.last.npm_requirements] == [
        ("@scope/one", "^1.0"),
        ("two", None),
        ("three", "2"),
    ]
    assert (at_modal.last.template, at_modal.last.timeout_s) == (None, 60)
