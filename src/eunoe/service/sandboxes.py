"""The configurations of the sandbox, and custom code run as they say (api 23)."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from eunoe import ids
from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxConfig, SandboxType, SandboxVariable, fingerprint
from eunoe.errors import Conflict, EunoeError
from eunoe.store import audit, sandboxes
from eunoe.store.db import Actor, Database, Tx, UniqueViolated
from eunoe.store.own import there
from eunoe.tools.programs import Executor, Program, ProgramSandbox, Ran, Requirement

_LINE: Final = re.compile(r"(@?[^@=<>!~\s]+)\s*@?(.*)")

DEFAULTS: Final[dict[SandboxType, Json]] = {
    "local": {"sandbox_dir": None, "use_venv": False, "venv_name": "venv", "pip_requirements": []},
    "e2b": {"timeout": 300, "template": None, "pip_requirements": None},
    "modal": {
        "timeout": 60,
        "pip_requirements": None,
        "npm_requirements": None,
        "language": "python",
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredExecutor:
    """Runs the programs of one organization with its packages and variables."""

    db: Database
    actor: Actor
    sandbox: ProgramSandbox

    async def run(self, program: Program, *, arguments: Json) -> Ran:
        kind = self.sandbox.kind
        try:
            async with self.db.read(self.actor) as tx:
                found = await sandboxes.of_type(tx, kind)
                variables = {} if found is None else await sandboxes.values_of(tx, found.id)
        except EunoeError as error:
            return Ran(ok=False, output=f"{program.name} was not run: {error}")
        config = DEFAULTS[kind] if found is None else found.config
        pip, npm = (_packages(config, f"{name}_requirements") for name in ("pip", "npm"))
        needed = replace(
            program,
            requirements=(*pip, *program.requirements),
            npm_requirements=(*npm, *program.npm_requirements),
            template=config.get("template"),
            timeout_s=program.timeout_s or config.get("timeout"),
        )
        ran = await self.sandbox.run(needed, arguments=arguments, variables=variables)
        mark = fingerprint(kind, config, organization_id=self.actor.organization_id)
        return replace(ran, fingerprint=mark)


def executors_of(db: Database, sandbox: ProgramSandbox) -> Callable[[Actor], Executor]:
    """Return what gives each organization its executor."""

    def executor(actor: Actor) -> Executor:
        return ConfiguredExecutor(db=db, actor=actor, sandbox=sandbox)

    return executor


async def configure(db: Database, actor: Actor, kind: SandboxType, config: Json) -> SandboxConfig:
    """Store the organization's configuration of the type, in the place of an older one (23.1)."""
    async with db.write(actor) as tx:
        return await sandboxes.put(tx, _new(kind, config))


async def of_type(db: Database, actor: Actor, kind: SandboxType) -> SandboxConfig:
    """Return the configuration of the type, made with its defaults where there is none (23.2)."""
    async with db.write(actor) as tx:
        found = await sandboxes.of_type(tx, kind)
        return found or await sandboxes.put(tx, _new(kind, DEFAULTS[kind]))


async def reconfigure(
    db: Database, actor: Actor, config_id: str, kinds: Collection[SandboxType], config: Json
) -> SandboxConfig:
    """Change what of a configuration is given; its type, which is one of `kinds`, stays."""
    async with db.write(actor) as tx:
        before = await known(tx, config_id, held=True)
        if before.type not in kinds:
            raise Conflict(f"{config_id} is of the type {before.type}, and stays so.")
        changed = before.configured({**before.config, **config}, at=datetime.now(UTC))
        return await sandboxes.put(tx, changed)


async def delete(db: Database, actor: Actor, config_id: str) -> None:
    async with db.write(actor) as tx:
        await known(tx, config_id)
        await sandboxes.delete(tx, config_id)


async def set_variable(
    db: Database, actor: Actor, config_id: str, *, key: str, value: str, description: str | None
) -> SandboxVariable:
    """Store a variable, in the place of one of the same name."""
    now = datetime.now(UTC)
    async with db.write(actor) as tx:
        await known(tx, config_id, held=True)
        await audit.note(tx, "sandbox_variable.set", f"{config_id}/{key}")
        return await sandboxes.put_variable(
            tx,
            SandboxVariable(
                id=ids.new("sandbox_variable"),
                sandbox_config_id=config_id,
                key=key,
                value=value,
                description=description,
                created_at=now,
                updated_at=now,
            ),
        )


async def change_variable(
    db: Database, actor: Actor, variable_id: str, changes: Json
) -> SandboxVariable:
    """Change what is given of a variable; a name that another has is a `Conflict`."""
    try:
        async with db.write(actor) as tx:
            before = await _known_variable(tx, variable_id)
            changed = replace(before, **changes, updated_at=datetime.now(UTC))
            await sandboxes.change_variable(tx, changed)
            await audit.note(tx, "sandbox_variable.set", variable_id)
            return changed
    except UniqueViolated:
        raise Conflict(f"Another variable has the name {changes.get('key')}.") from None


async def delete_variable(db: Database, actor: Actor, variable_id: str) -> None:
    async with db.write(actor) as tx:
        await _known_variable(tx, variable_id)
        await sandboxes.delete_variable(tx, variable_id)
        await audit.note(tx, "sandbox_variable.delete", variable_id)


async def known(tx: Tx, config_id: str, *, held: bool = False) -> SandboxConfig:
    found = await sandboxes.get(tx, config_id, held=held)
    return there(found, "sandbox configuration", config_id)


async def _known_variable(tx: Tx, variable_id: str) -> SandboxVariable:
    return there(await sandboxes.get_variable(tx, variable_id), "sandbox variable", variable_id)


def _new(kind: SandboxType, config: Json) -> SandboxConfig:
    now = datetime.now(UTC)
    return SandboxConfig(
        id=ids.new("sandbox"), type=kind, config=config, created_at=now, updated_at=now
    )


def _packages(config: Json, field: str) -> tuple[Requirement, ...]:
    """Return the packages of a field: objects, or lines as `a`, `a==1` and `a@1`."""
    found: list[Requirement] = []
    for one in config.get(field) or ():
        if isinstance(one, str):
            line = _LINE.fullmatch(one.strip())
            name, version = (one, None) if line is None else line.groups()
        else:
            name, version = one["name"], one.get("version")
        found.append(Requirement(name=name, version=version))
    return tuple(found)
