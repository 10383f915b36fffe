"""Queries on templates: versions are added, and never changed."""

from dataclasses import dataclass
from typing import Final

from eunoe.domain.templates import Snapshot, Template, TemplateVersion
from eunoe.store import codec, own
from eunoe.store.db import Row, Tx, from_micros, to_micros
from eunoe.store.paging import Listing, Page, listing
from eunoe.store.where import of_organization

_COLUMNS: Final = (
    "templates.id, templates.name, templates.description, templates.agent_id,"
    " templates.current_json, templates.latest_version, templates.created_at,"
    " templates.updated_at"
)
_TEMPLATES: Final = Listing(
    noun="template",
    table="templates",
    columns=_COLUMNS,
    orders={"created_at": False, "updated_at": False},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFilter:
    """`search` is a part of the name, in any case."""

    name: str | None = None
    search: str | None = None
    template_id: str | None = None


async def insert(tx: Tx, template: Template) -> None:
    """Store a new template; raise `UniqueViolated` for a name that is taken."""
    await tx.execute(
        "INSERT INTO templates (id, organization_id, name, description, agent_id, current_json,"
        " latest_version, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        template.id,
        tx.actor.organization_id,
        template.name,
        template.description,
        template.agent_id,
        codec.optional_json(template.current),
        template.latest_version,
        to_micros(template.created_at),
        to_micros(template.updated_at),
    )


async def get(tx: Tx, name: str, *, held: bool = False) -> Template | None:
    """Return the template of that name; `held` keeps others from changing it until the commit."""
    row = await tx.fetch_one(
        f"SELECT {_COLUMNS} FROM templates WHERE organization_id = $1 AND name = $2"
        f"{own.lock(tx, 'templates', held=held)}",
        tx.actor.organization_id,
        name,
    )
    return None if row is None else _read(row)


async def list_templates(tx: Tx, asked: TemplateFilter, page: Page) -> list[Template]:
    where = of_organization(tx, "templates")
    where.equal(**{"templates.name": asked.name, "templates.id": asked.template_id})
    where.contains(**{"templates.name": asked.search})
    return [_read(row) for row in await listing(tx, _TEMPLATES, where, page)]


async def update(tx: Tx, template: Template) -> None:
    await tx.execute(
        "UPDATE templates SET agent_id = $1, current_json = $2, latest_version = $3,"
        " updated_at = $4 WHERE id = $5 AND organization_id = $6",
        template.agent_id,
        codec.optional_json(template.current),
        template.latest_version,
        to_micros(template.updated_at),
        template.id,
        tx.actor.organization_id,
    )


async def delete(tx: Tx, name: str) -> bool:
    return bool(
        await tx.execute(
            "DELETE FROM templates WHERE organization_id = $1 AND name = $2",
            tx.actor.organization_id,
            name,
        )
    )


async def add_version(tx: Tx, template_id: str, version: TemplateVersion) -> None:
    await tx.execute(
        "INSERT INTO template_versions (template_id, version, message, snapshot_json, created_at)"
        " VALUES ($1, $2, $3, $4, $5)",
        template_id,
        version.version,
        version.message,
        codec.encode(version.snapshot),
        to_micros(version.created_at),
    )


async def get_version(tx: Tx, template_id: str, version: int) -> TemplateVersion | None:
    row = await tx.fetch_one(
        "SELECT version, message, snapshot_json, created_at FROM template_versions"
        " WHERE template_id = $1 AND version = $2",
        template_id,
        version,
    )
    return None if row is None else _read_version(row)


async def is_saved(tx: Tx, template_id: str, snapshot: Snapshot) -> bool:
    """Whether any version is just this."""
    found = await tx.fetch_value(
        "SELECT 1 FROM template_versions WHERE template_id = $1 AND snapshot_json = $2 LIMIT 1",
        template_id,
        codec.encode(snapshot),
    )
    return found is not None


async def versions(tx: Tx, template_id: str, *, limit: int, before: int) -> list[TemplateVersion]:
    """Return versions lower than `before`, the newest first."""
    rows = await tx.fetch(
        "SELECT version, message, snapshot_json, created_at FROM template_versions"
        " WHERE template_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        template_id,
        before,
        limit,
    )
    return [_read_version(row) for row in rows]


def _read(row: Row) -> Template:
    return Template(
        id=row[0],
        name=row[1],
        description=row[2],
        agent_id=row[3],
        current=codec.optional(codec.snapshot.validate_json, row[4]),
        latest_version=row[5],
        created_at=from_micros(row[6]),
        updated_at=from_micros(row[7]),
    )


def _read_version(row: Row) -> TemplateVersion:
    return TemplateVersion(
        version=row[0],
        message=row[1],
        snapshot=codec.snapshot.validate_json(row[2]),
        created_at=from_micros(row[3]),
    )
