"""Queries on templates: versions are added, and never changed."""

from dataclasses import dataclass
from typing import Final

from eunoe.domain.templates import Snapshot, Template, TemplateVersion
from eunoe.store import codec, own
from eunoe.store.db import Tx
from eunoe.store.mapping import CHANGED, MADE, NAME, json, mapped
from eunoe.store.paging import Page
from eunoe.store.where import of_organization

_SNAPSHOT: Final = json(codec.snapshot.validate_json)
_TEMPLATES: Final = mapped(
    Template,
    "templates",
    noun="template",
    kept={"name": NAME, **CHANGED, "current": _SNAPSHOT},
    orders={"created_at": False, "updated_at": False},
)
_VERSIONS: Final = mapped(
    TemplateVersion,
    "template_versions",
    noun="version",
    kept={**MADE, "snapshot": _SNAPSHOT},
    scoped=False,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFilter:
    """`search` is a part of the name, in any case."""

    name: str | None = None
    search: str | None = None
    template_id: str | None = None


async def insert(tx: Tx, template: Template) -> None:
    """Store a new template; raise `UniqueViolated` for a name that is taken."""
    await own.insert(tx, _TEMPLATES, template)


async def get(tx: Tx, name: str, *, held: bool = False) -> Template | None:
    """Return the template of that name; `held` keeps others from changing it until the commit."""
    return await own.first(
        tx,
        _TEMPLATES,
        f"WHERE organization_id = $1 AND name = $2{own.lock(tx, 'templates', held=held)}",
        tx.actor.organization_id,
        name,
    )


async def list_templates(tx: Tx, asked: TemplateFilter, page: Page) -> list[Template]:
    where = of_organization(tx, "templates")
    where.equal(**{"templates.name": asked.name, "templates.id": asked.template_id})
    where.contains(**{"templates.name": asked.search})
    return await own.page(tx, _TEMPLATES, where, page)


async def update(tx: Tx, template: Template) -> None:
    kept = ("name", "description", "created_at")
    await own.update(tx, _TEMPLATES, template, but=kept)


async def delete(tx: Tx, name: str) -> bool:
    return bool(
        await tx.execute(
            "DELETE FROM templates WHERE organization_id = $1 AND name = $2",
            tx.actor.organization_id,
            name,
        )
    )


async def add_version(tx: Tx, template_id: str, version: TemplateVersion) -> None:
    await own.insert(tx, _VERSIONS, version, template_id=template_id)


async def get_version(tx: Tx, template_id: str, version: int) -> TemplateVersion | None:
    return await own.first(
        tx, _VERSIONS, "WHERE template_id = $1 AND version = $2", template_id, version
    )


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
    return await own.select(
        tx,
        _VERSIONS,
        "WHERE template_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3",
        template_id,
        before,
        limit,
    )
