"""Queries on the configurations of the sandbox and their variables, sealed on the way in."""

from typing import Final

from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxConfig, SandboxType, SandboxVariable
from eunoe.store import codec, own
from eunoe.store.db import Row, Tx, from_micros, to_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import Where, of_organization

_AUDIT: Final = "created_by_id, last_updated_by_id, created_at, updated_at"
_CONFIG: Final = f"id, type, config_json, {_AUDIT}"
_VARIABLE: Final = f"id, sandbox_config_id, key, sealed, description, {_AUDIT}"
_CONFIGS: Final = Listing(noun="sandbox configuration", table="sandbox_configs", columns=_CONFIG)
_VARIABLES: Final = Listing(noun="sandbox variable", table="sandbox_variables", columns=_VARIABLE)


async def put(tx: Tx, one: SandboxConfig) -> SandboxConfig:
    """Store a configuration in the place of the one of its type, which keeps its id (api 23.1)."""
    await tx.execute(
        f"INSERT INTO sandbox_configs ({_CONFIG}, organization_id)"
        " VALUES ($1, $2, $3, $4, $4, $5, $6, $7) ON CONFLICT (organization_id, type) DO UPDATE"
        " SET config_json = excluded.config_json, updated_at = excluded.updated_at,"
        " last_updated_by_id = excluded.last_updated_by_id",
        one.id,
        one.type,
        codec.encode(one.config),
        tx.actor.user_id,
        to_micros(one.created_at),
        to_micros(one.updated_at),
        tx.actor.organization_id,
    )
    return await of_type(tx, one.type) or one


async def of_type(tx: Tx, kind: SandboxType) -> SandboxConfig | None:
    rows = await tx.fetch(
        f"SELECT {_CONFIG} FROM sandbox_configs WHERE type = $1 AND organization_id = $2",
        kind,
        tx.actor.organization_id,
    )
    return _config(rows[0]) if rows else None


async def get(tx: Tx, config_id: str) -> SandboxConfig | None:
    row = await own.get(tx, _CONFIGS, config_id)
    return None if row is None else _config(row)


async def list_configs(tx: Tx, page: Page, *, kind: SandboxType | None) -> list[SandboxConfig]:
    where = of_organization(tx, "sandbox_configs").equal(type=kind)
    return [_config(row) for row in await listing(tx, _CONFIGS, where, page)]


async def delete(tx: Tx, config_id: str) -> bool:
    """Delete a configuration with its variables; whether there was one."""
    return await own.delete(tx, "sandbox_configs", config_id)


async def put_variable(tx: Tx, one: SandboxVariable) -> SandboxVariable:
    """Store a variable in the place of the one of its name, which keeps its id (api 27)."""
    rows = await tx.fetch(
        f"INSERT INTO sandbox_variables ({_VARIABLE}, organization_id)"
        " VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9)"
        " ON CONFLICT (sandbox_config_id, key) DO UPDATE SET sealed = excluded.sealed,"
        " description = excluded.description, updated_at = excluded.updated_at,"
        f" last_updated_by_id = excluded.last_updated_by_id RETURNING {_VARIABLE}",
        one.id,
        one.sandbox_config_id,
        one.key,
        tx.sealer.seal(one.value),
        one.description,
        tx.actor.user_id,
        to_micros(one.created_at),
        to_micros(one.updated_at),
        tx.actor.organization_id,
    )
    return _variable(tx, rows[0])


async def change_variable(tx: Tx, one: SandboxVariable) -> None:
    await tx.execute(
        "UPDATE sandbox_variables SET key = $2, sealed = $3, description = $4, updated_at = $5,"
        " last_updated_by_id = $6 WHERE id = $1 AND organization_id = $7",
        one.id,
        one.key,
        tx.sealer.seal(one.value),
        one.description,
        to_micros(one.updated_at),
        tx.actor.user_id,
        tx.actor.organization_id,
    )


async def get_variable(tx: Tx, variable_id: str) -> SandboxVariable | None:
    rows = await tx.fetch(
        f"SELECT {_VARIABLE} FROM sandbox_variables WHERE id = $1 AND organization_id = $2",
        variable_id,
        tx.actor.organization_id,
    )
    return _variable(tx, rows[0]) if rows else None


async def list_variables(tx: Tx, config_id: str, page: Page) -> list[SandboxVariable]:
    where: Where = of_organization(tx, "sandbox_variables").equal(sandbox_config_id=config_id)
    return [_variable(tx, row) for row in await listing(tx, _VARIABLES, where, page)]


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


def _config(row: Row) -> SandboxConfig:
    config: Json = codec.loads(row[2])
    return SandboxConfig(
        id=row[0],
        type=row[1],
        config=config,
        created_by_id=row[3],
        last_updated_by_id=row[4],
        created_at=from_micros(row[5]),
        updated_at=from_micros(row[6]),
    )


def _variable(tx: Tx, row: Row) -> SandboxVariable:
    return SandboxVariable(
        id=row[0],
        sandbox_config_id=row[1],
        key=row[2],
        value=tx.sealer.open(row[3]),
        description=row[4],
        created_by_id=row[5],
        last_updated_by_id=row[6],
        created_at=from_micros(row[7]),
        updated_at=from_micros(row[8]),
    )
