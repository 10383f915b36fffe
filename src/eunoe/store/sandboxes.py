"""Queries on the configurations of the sandbox and their variables, sealed on the way in."""

from typing import Final

from eunoe.domain.sandboxes import SandboxConfig, SandboxType, SandboxVariable
from eunoe.store import own
from eunoe.store.db import Tx, Value
from eunoe.store.mapping import CHANGED, OBJECT, Kept, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_CONFIGS: Final = mapped(
    SandboxConfig,
    "sandbox_configs",
    noun="sandbox configuration",
    kept={**CHANGED, "config": OBJECT},
)
_VARIABLES: Final = mapped(
    SandboxVariable,
    "sandbox_variables",
    noun="sandbox variable",
    kept={**CHANGED, "value": Kept(column="sealed", sealed=True)},
)
_CHANGED: Final = ("updated_at", "last_updated_by_id")


async def put(tx: Tx, one: SandboxConfig) -> SandboxConfig:
    """Store a configuration in the place of the one of its type, which keeps its id (api 23.1)."""
    changed = ("config_json", *_CHANGED)
    key = "organization_id, type"
    return await own.put(tx, _CONFIGS, one, key=key, changed=changed, **_by(tx))


async def of_type(tx: Tx, kind: SandboxType) -> SandboxConfig | None:
    return await own.first(
        tx, _CONFIGS, "WHERE type = $1 AND organization_id = $2", kind, tx.actor.organization_id
    )


async def get(tx: Tx, config_id: str, *, held: bool = False) -> SandboxConfig | None:
    """Return a configuration; `held` keeps others from changing it until the commit."""
    return await own.get(tx, _CONFIGS, config_id, held=held)


async def list_configs(tx: Tx, page: Page, *, kind: SandboxType | None) -> list[SandboxConfig]:
    where = of_organization(tx, "sandbox_configs").equal(type=kind)
    return await own.page(tx, _CONFIGS, where, page)


async def delete(tx: Tx, config_id: str) -> bool:
    """Delete a configuration with its variables; whether there was one."""
    return await own.delete(tx, "sandbox_configs", config_id)


async def put_variable(tx: Tx, one: SandboxVariable) -> SandboxVariable:
    """Store a variable in the place of the one of its name, which keeps its id (api 27)."""
    changed = ("sealed", "description", *_CHANGED)
    key = "sandbox_config_id, key"
    return await own.put(tx, _VARIABLES, one, key=key, changed=changed, **_by(tx))


async def change_variable(tx: Tx, one: SandboxVariable) -> None:
    kept = ("sandbox_config_id", "created_by_id", "created_at")
    await own.update(tx, _VARIABLES, one, but=kept, last_updated_by_id=tx.actor.user_id)


async def get_variable(tx: Tx, variable_id: str) -> SandboxVariable | None:
    """Return a variable, held until the commit of whoever changes it."""
    return await own.get(tx, _VARIABLES, variable_id, held=True)


async def list_variables(tx: Tx, config_id: str, page: Page) -> list[SandboxVariable]:
    where = of_organization(tx, "sandbox_variables").equal(sandbox_config_id=config_id)
    return await own.page(tx, _VARIABLES, where, page)


async def delete_variable(tx: Tx, variable_id: str) -> bool:
    return await own.delete(tx, "sandbox_variables", variable_id)


async def values_of(tx: Tx, config_id: str) -> dict[str, str]:
    """Return what custom tools find in their environment. Raises `SecretUnreadable`."""
    rows = await tx.fetch(
        "SELECT key, sealed FROM sandbox_variables WHERE sandbox_config_id = $1"
        " AND organization_id = $2",
        config_id,
        tx.actor.organization_id,
    )
    return {row[0]: tx.sealer.open(row[1]) for row in rows}


def _by(tx: Tx) -> dict[str, Value]:
    """Return who a new row is by, whoever the value says."""
    return {"created_by_id": tx.actor.user_id, "last_updated_by_id": tx.actor.user_id}
