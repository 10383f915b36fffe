"""How custom tools are run: configurations of the sandbox, and variables for code (api 23)."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from eunoe.domain.sandboxes import SandboxType
from eunoe.http.deps import Me
from eunoe.http.pages import page_of
from eunoe.http.paths import SandboxId, SandboxVariableId
from eunoe.http.replies import JsonReply
from eunoe.http.router import answers, v1
from eunoe.service import sandboxes
from eunoe.store import sandboxes as stored
from eunoe.store.paging import Page
from eunoe.wire.sandboxes import (
    LocalSandboxConfig,
    SandboxConfig,
    SandboxConfigBody,
    SandboxEnvironmentVariable,
    UpdateSandboxConfigBody,
    UpdateVariableBody,
    VariableBody,
    config,
    type_of,
    variable,
)

router = v1("/sandbox-config", tag="sandbox-config")

Oldest = Annotated[Page, Depends(page_of(limit=1000, order="asc"))]


@router.post("/", **answers("create_sandbox_config", SandboxConfig))
async def create(body: SandboxConfigBody, me: Me) -> Response:
    """Set the configuration of a type, which the fields tell."""
    kind, given = type_of(body.config), body.config.model_dump()
    return JsonReply(config(await sandboxes.configure(me.db, me.actor, kind, given)))


@router.post("/e2b/default", **answers("create_default_e2b_sandbox_config", SandboxConfig))
async def e2b_default(me: Me) -> Response:
    return JsonReply(config(await sandboxes.of_type(me.db, me.actor, "e2b")))


@router.post("/local/default", **answers("create_default_local_sandbox_config", SandboxConfig))
async def local_default(me: Me) -> Response:
    """Return the local configuration; the first time it is made."""
    return JsonReply(config(await sandboxes.of_type(me.db, me.actor, "local")))


@router.post("/local", **answers("create_custom_local_sandbox_config", SandboxConfig))
async def local(body: LocalSandboxConfig, me: Me) -> Response:
    """Set the local configuration."""
    made = await sandboxes.configure(me.db, me.actor, "local", body.model_dump())
    return JsonReply(config(made))


@router.post("/local/recreate-venv", **answers("force_recreate_local_sandbox_venv", SandboxConfig))
async def recreate(me: Me) -> Response:
    """Have the packages of tools installed anew when they are needed next."""
    if me.runtime.sandbox is not None:
        await me.runtime.sandbox.forget_packages()
    return JsonReply(config(await sandboxes.of_type(me.db, me.actor, "local")))


@router.get("/", **answers("list_sandbox_configs", list[SandboxConfig]))
async def list_all(
    me: Me, page: Oldest, sandbox_type: Annotated[SandboxType | None, Query()] = None
) -> Response:
    async with me.read() as tx:
        found = await stored.list_configs(tx, page, kind=sandbox_type)
    return JsonReply([config(one) for one in found])


@router.patch("/{sandbox_config_id}", **answers("update_sandbox_config", SandboxConfig))
async def update(sandbox_config_id: SandboxId, body: UpdateSandboxConfigBody, me: Me) -> Response:
    changed = await sandboxes.reconfigure(me.db, me.actor, sandbox_config_id, *body.changes())
    return JsonReply(config(changed))


@router.delete("/{sandbox_config_id}", operation_id="delete_sandbox_config", status_code=204)
async def delete(sandbox_config_id: SandboxId, me: Me) -> Response:
    """Delete a configuration with its variables."""
    await sandboxes.delete(me.db, me.actor, sandbox_config_id)
    return Response(status_code=204)


# Variables


@router.post(
    "/{sandbox_config_id}/environment-variable",
    **answers("create_sandbox_env_var", SandboxEnvironmentVariable),
)
async def set_variable(sandbox_config_id: SandboxId, body: VariableBody, me: Me) -> Response:
    """Set a variable that custom tools find in their environment."""
    made = await sandboxes.set_variable(
        me.db,
        me.actor,
        sandbox_config_id,
        key=body.key,
        value=body.value,
        description=body.description,
    )
    return JsonReply(variable(made))


@router.get(
    "/{sandbox_config_id}/environment-variable",
    **answers("list_sandbox_env_vars", list[SandboxEnvironmentVariable]),
)
async def list_variables(sandbox_config_id: SandboxId, me: Me, page: Oldest) -> Response:
    async with me.read() as tx:
        await sandboxes.known(tx, sandbox_config_id)
        found = await stored.list_variables(tx, sandbox_config_id, page)
    return JsonReply([variable(one) for one in found])


@router.patch(
    "/environment-variable/{variable_id}",
    **answers("update_sandbox_env_var", SandboxEnvironmentVariable),
)
async def update_variable(
    variable_id: SandboxVariableId, body: UpdateVariableBody, me: Me
) -> Response:
    changed = await sandboxes.change_variable(me.db, me.actor, variable_id, body.changes())
    return JsonReply(variable(changed))


@router.delete(
    "/environment-variable/{variable_id}", operation_id="delete_sandbox_env_var", status_code=204
)
async def delete_variable(variable_id: SandboxVariableId, me: Me) -> Response:
    await sandboxes.delete_variable(me.db, me.actor, variable_id)
    return Response(status_code=204)
