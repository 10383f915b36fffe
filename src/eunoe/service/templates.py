"""Templates: made from an agent, saved in versions, gone back to, and made agents from (api 25.2).

The working version is the agent's state, as it is when somebody looks. Going back replaces it
with a version, and from then on it changes by going back and saving alone.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeAlias

from eunoe import ids
from eunoe.domain.agent_files import AgentFile
from eunoe.domain.agent_states import AgentState
from eunoe.domain.templates import (
    LATEST,
    WORKING,
    Instance,
    Snapshot,
    Template,
    TemplateVersion,
    draft_of,
    named,
    snapshot_of,
)
from eunoe.errors import (
    Missing,
    TemplateExists,
    TemplateMissing,
    TemplateVersionInvalid,
    TemplateVersionMissing,
)
from eunoe.service import agents, states
from eunoe.service.agent_import import Wishes, configured_first, described
from eunoe.service.models import Defaults, Models
from eunoe.store import templates
from eunoe.store.db import Actor, Database, Tx, UniqueViolated

_FIRST: Final = 1
_DIGITS: Final = 9
_BEFORE_GOING_BACK: Final = "Saved before going back to version {version}."
_BEFORE_A_FILE: Final = "Saved before an agent file took its place."

Look: TypeAlias = Callable[[Tx], Awaitable[Snapshot]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """What an agent file is read with: the models of this server, and whether its tools win."""

    models: Models
    defaults: Defaults
    override_tools: bool


async def create(
    db: Database, actor: Actor, *, name: str, agent_id: str, now: datetime
) -> Template:
    """Make a template of an agent, and its first version; raise `TemplateExists` or `Missing`."""
    template = Template(
        id=ids.new("template"), name=name, agent_id=agent_id, created_at=now, updated_at=now
    )

    async def snapshot(tx: Tx) -> Snapshot:
        return snapshot_of(await states.one(tx, agent_id))

    return await _created(db, actor, template, snapshot)


async def create_of_file(
    db: Database, actor: Actor, *, name: str, file: AgentFile, source: FileSource, now: datetime
) -> Template:
    """Make a template of a file's first agent; its tools are stored, and no agent is made.

    Raises `TemplateExists`, `Invalid`, `ModelUnknown` and `EmbeddingUnknown`.
    """
    template = Template(
        id=ids.new("template"), name=name, agent_id=None, created_at=now, updated_at=now
    )
    return await _created(db, actor, template, await _of_file(file, source))


async def update(
    db: Database,
    actor: Actor,
    name: str,
    *,
    file: AgentFile,
    source: FileSource,
    save_first: bool,
    now: datetime,
) -> None:
    """Put a file's first agent in the place of the working version.

    With `save_first` what was not saved is kept as a version before.
    """
    snapshot = await _of_file(file, source)
    async with db.write(actor) as tx:
        template = await known(tx, name, held=True)
        if save_first:
            template = await _kept(tx, template, message=_BEFORE_A_FILE, at=now)
        current = await snapshot(tx)
        after = replace(template, agent_id=None, current=current, updated_at=now)
        await templates.update(tx, after)


async def _created(db: Database, actor: Actor, template: Template, snapshot: Look) -> Template:
    at = template.created_at
    try:
        async with db.write(actor) as tx:
            await templates.insert(tx, template)
            first = TemplateVersion(
                version=_FIRST, message=None, snapshot=await snapshot(tx), created_at=at
            )
            await templates.add_version(tx, template.id, first)
    except UniqueViolated as clash:
        raise TemplateExists from clash
    return template


async def _of_file(file: AgentFile, source: FileSource) -> Look:
    """Return what finds out, in a transaction, what the file's first agent is like."""
    wishes = Wishes(override_tools=source.override_tools)
    first = await configured_first(file, wishes, models=source.models, defaults=source.defaults)

    async def snapshot(tx: Tx) -> Snapshot:
        return snapshot_of(await described(tx, file, first, wishes))

    return snapshot


async def save(
    db: Database, actor: Actor, name: str, *, message: str | None, now: datetime
) -> Template:
    """Keep the working version as a new one; return the template."""
    async with db.write(actor) as tx:
        template = await known(tx, name, held=True)
        return await _saved(tx, template, await _working(tx, template), message=message, at=now)


async def rollback(
    db: Database, actor: Actor, name: str, *, version: str, now: datetime
) -> Template:
    """Put a version in the place of the working one, which is saved where it is not yet.

    Raises `TemplateVersionInvalid` or `TemplateVersionMissing`.
    """
    if version in WORKING:
        raise TemplateVersionInvalid
    async with db.write(actor) as tx:
        template = await known(tx, name, held=True)
        # Looked up first: `latest` is not what this may save.
        target = await _version(tx, template, version)
        text = _BEFORE_GOING_BACK.format(version=target.version)
        template = await _kept(tx, template, message=text, at=now)
        back = replace(template, agent_id=None, current=target.snapshot, updated_at=now)
        await templates.update(tx, back)
        return back


async def delete(db: Database, actor: Actor, name: str) -> None:
    """Remove a template with all its versions; the agents made from them stay."""
    async with db.write(actor) as tx:
        if not await templates.delete(tx, name):
            raise TemplateMissing


async def make_agent(
    db: Database, actor: Actor, address: str, instance: Instance, *, models: Models
) -> AgentState:
    """Make an agent from `name:version`.

    Raises `ModelUnknown` where nobody serves its model any more, and `Invalid` for tools that
    are gone.
    """
    name, version = named(address)
    async with db.read(actor) as tx:
        template = await known(tx, name)
        if version in WORKING:
            snapshot = await _working(tx, template)
        else:
            snapshot = (await _version(tx, template, version)).snapshot
    await models.resolve(snapshot.model.handle)
    draft = draft_of(
        snapshot, instance, template_id=template.id, deployment_id=ids.new("deployment")
    )
    return await agents.create_as(
        db, actor, draft, config=snapshot.model, embedding=snapshot.embedding, models=models
    )


async def known(tx: Tx, name: str, *, held: bool = False) -> Template:
    """Return the template; raise `TemplateMissing` for an unknown or foreign one."""
    found = await templates.get(tx, name, held=held)
    if found is None:
        raise TemplateMissing
    return found


async def _kept(tx: Tx, template: Template, *, message: str, at: datetime) -> Template:
    """Keep the working version where no version is like it yet; return the template."""
    working = await _working(tx, template)
    if await templates.is_saved(tx, template.id, working):
        return template
    return await _saved(tx, template, working, message=message, at=at)


async def _saved(
    tx: Tx, template: Template, snapshot: Snapshot, *, message: str | None, at: datetime
) -> Template:
    after = replace(template, latest_version=template.latest_version + 1, updated_at=at)
    await templates.update(tx, after)
    version = TemplateVersion(
        version=after.latest_version, message=message, snapshot=snapshot, created_at=at
    )
    await templates.add_version(tx, template.id, version)
    return after


async def _working(tx: Tx, template: Template) -> Snapshot:
    """Return the working version; with its agent gone it is the latest one."""
    if template.current is not None:
        return template.current
    if template.agent_id is not None:
        try:
            return snapshot_of(await states.one(tx, template.agent_id))
        except Missing:
            pass
    return (await _version(tx, template, LATEST)).snapshot


async def _version(tx: Tx, template: Template, version: str) -> TemplateVersion:
    if version == LATEST:
        number = template.latest_version
    elif version.isascii() and version.isdigit() and len(version) <= _DIGITS:
        number = int(version)
    else:
        raise TemplateVersionMissing
    found = await templates.get_version(tx, template.id, number)
    if found is None:
        raise TemplateVersionMissing
    return found
