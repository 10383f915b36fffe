"""Queries on the secrets of agents: sealed on the way in, opened on the way out."""

from collections.abc import Mapping
from typing import Final

from eunoe import ids
from eunoe.domain.secrets import AgentSecret
from eunoe.store import audit, codec, related
from eunoe.store.db import Tx, among, now_micros, unindexed
from eunoe.store.mapping import CHANGED, Kept, mapped

_SECRETS: Final = mapped(
    AgentSecret,
    "agent_secrets",
    noun="secret",
    kept={**CHANGED, "value": Kept(column="sealed", sealed=True)},
)
OF_AGENT: Final = related.rows_of(
    _SECRETS.columns,
    f"agent_secrets WHERE agent_id = item.value AND {unindexed('organization_id')} = $2",
    order="key",
    read=_SECRETS.read,
)
"""The secrets of an agent, by their keys. To read them raises `SecretUnreadable`."""


async def replace(tx: Tx, agent_id: str, values: Mapping[str, str]) -> None:
    """Make `values` the agent's secrets, and all of them; one that stays keeps its id (6.14.2)."""
    await tx.execute(
        "DELETE FROM agent_secrets WHERE agent_id = $1 AND organization_id = $2"
        f" AND NOT key {among(tx, '$3')}",
        agent_id,
        tx.actor.organization_id,
        codec.encode(list(values)),
    )
    now = now_micros()
    await tx.execute_many(
        "INSERT INTO agent_secrets (id, organization_id, agent_id, key, sealed, created_by_id,"
        " last_updated_by_id, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $7)"
        " ON CONFLICT (agent_id, key) DO UPDATE SET sealed = excluded.sealed,"
        " last_updated_by_id = excluded.last_updated_by_id, updated_at = excluded.updated_at",
        [
            (
                ids.new("secret"),
                tx.actor.organization_id,
                agent_id,
                key,
                tx.sealer.seal(value),
                tx.actor.user_id,
                now,
            )
            for key, value in values.items()
        ],
    )
    await audit.note(tx, "secrets.replace", agent_id)


async def values_of(tx: Tx, agent_id: str) -> dict[str, str]:
    """Return what the agent's tools find in their environment (X30). Raises `SecretUnreadable`."""
    found = await related.of_one(tx, agent_id, OF_AGENT)
    return {secret.key: secret.value for secret in found}
