"""`eunoe doctor`: look at everything a server needs, and say how to mend what is wrong."""

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rich.console import Console
from rich.text import Text

from eunoe import errors, settings
from eunoe.cli import models
from eunoe.cli.banner import no_model
from eunoe.cli.client import Client
from eunoe.cli.db import with_database
from eunoe.cli.failure import FAILED, CommandFailed
from eunoe.cli.serve import bound
from eunoe.llm.local_files import is_intact, is_present
from eunoe.llm.local_source import lacking
from eunoe.llm.providers import ProviderConfig, providers_from
from eunoe.settings import Settings
from eunoe.store.database import check
from eunoe.tools.programs import Limits
from eunoe.tools.sandbox import Sandbox
from eunoe.tools.sandbox_bubblewrap import REMEDY
from eunoe.tools.sandbox_remote import remote

_ROOM_BYTES: Final = 1024**3
_MARKS: Final = {"good": ("✓", "green"), "poor": ("!", "yellow"), "bad": ("✗", "red")}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing that was looked at. `poor` works, with less; `remedy` says how to mend it."""

    what: str
    state: Literal["good", "poor", "bad"]
    found: str
    remedy: str = ""


def doctor() -> int:
    """Print every diagnosis as it is made; 1 if something is bad."""
    console = Console(highlight=False)
    worst = 0
    for diagnosis in diagnoses():
        mark, style = _MARKS[diagnosis.state]
        line = Text.assemble((mark, style), (f" {diagnosis.what:<12} ", "bold"), diagnosis.found)
        if diagnosis.remedy:
            line.append(f"\n  {'':<12} → {diagnosis.remedy}", style)
        console.print(line, soft_wrap=not console.is_terminal)
        worst = max(worst, FAILED if diagnosis.state == "bad" else 0)
    return worst


def diagnoses() -> Iterator[Diagnosis]:
    """Yield what was found, the cause of later findings first."""
    yield Diagnosis(
        "python", "good", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    )
    try:
        configured = settings.load()
    except errors.EunoeError as error:
        yield Diagnosis("settings", "bad", str(error), "correct or unset it")
        return
    yield Diagnosis("settings", "good", _described(configured))
    for look in (_data_dir, _database, _port, _providers, _sandbox):
        yield from look(configured)


def _described(configured: Settings) -> str:
    names = [name for name in settings.variable_names() if os.environ.get(name)]
    wanted = {"a password": configured.password, "a key": configured.require_key}
    password = " or ".join(name for name, is_set in wanted.items() if is_set)
    password = password or "no password, this machine only"
    return f"{password}; set: {', '.join(names) or 'nothing, all defaults'}"


def _data_dir(configured: Settings) -> Iterator[Diagnosis]:
    """Try to write where the data are, or will be: in the nearest folder that exists."""
    folder = configured.data_dir.absolute()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=nearest):
            room = shutil.disk_usage(nearest).free
    except OSError as error:
        remedy = "make it writable, or set EUNOE_DATA_DIR to a folder that is"
        yield Diagnosis("data folder", "bad", f"{folder}: {error.strerror}", remedy)
        return
    found = f"{folder}, {room / 1024**3:,.1f} GiB free"
    remedy = "make room: local models and the database need it" if room < _ROOM_BYTES else ""
    yield Diagnosis("data folder", "poor" if remedy else "good", found, remedy)


def _database(configured: Settings) -> Iterator[Diagnosis]:
    label = configured.database_label
    if configured.is_sqlite and not Path(label).exists():
        found = f"{label} does not exist yet; the server makes it"
        yield Diagnosis("database", "good", found)
        return

    try:
        _, findings = with_database(check)
    except errors.EunoeError as error:
        remedy = "check EUNOE_DATABASE_URL, and that the database runs"
        found = f"{label}: {error}"
        yield Diagnosis("database", "bad", found, remedy)
        return
    if not findings:
        yield Diagnosis("database", "good", f"{label}: nothing is wrong")
    for finding in findings:
        remedy = _DATABASE_REMEDIES.get(finding.code, "stop the server and restore a backup")
        is_bad = finding.code not in {"schema_old", "schema_missing", "jobs_old"}
        yield Diagnosis(
            "database", "bad" if is_bad else "poor", f"{label}: {finding.message}", remedy
        )


_DATABASE_REMEDIES: Final = {
    "schema_missing": "eunoe db upgrade, or just start the server",
    "schema_old": "eunoe db upgrade, or just start the server",
    "jobs_old": "eunoe db upgrade, or just start the server",
    "extension_missing": "install pgvector on the database server",
    "database_newer": "use the newer Eunoe that wrote it, or another database",
}


def _port(configured: Settings) -> Iterator[Diagnosis]:
    place = f"{configured.host}:{configured.port}"
    with Client(configured.url, password=configured.credential) as client:
        running = client.version()
    if running is not None:
        yield Diagnosis("port", "good", f"{place}: Eunoe {running} runs there")
        return
    try:
        bound(configured).close()
    except CommandFailed as error:
        yield Diagnosis("port", "bad", place, str(error))
    else:
        yield Diagnosis("port", "good", f"{place} is free")


def _providers(configured: Settings) -> Iterator[Diagnosis]:
    providers = providers_from(configured.provider_values)
    if configured.runs_local(providers):
        yield _local(configured)
    elif not providers:
        yield Diagnosis("models", "bad", "none", no_model())
    for provider in providers:
        yield _asked(provider)


def _local(configured: Settings) -> Diagnosis:
    if lacking():
        found = "no provider is configured, and what runs the local model is not installed"
        return Diagnosis("local model", "bad", found, no_model())
    for one in models.DEFAULTS:
        if not is_present(one, configured.local_models):
            found = f"{one.handle} is not fetched yet; the server does so when it starts"
            remedy = "eunoe models pull fetches it now"
            return Diagnosis("local model", "poor", found, remedy)
        if not is_intact(one, configured.local_models):
            found = f"{one.handle} in {configured.local_models} is damaged"
            remedy = f"eunoe models pull {one.name}"
            return Diagnosis("local model", "bad", found, remedy)
    handles = ", ".join(one.handle for one in models.DEFAULTS)
    return Diagnosis("local model", "good", f"{handles}, as they should be")


def _asked(provider: ProviderConfig) -> Diagnosis:
    try:
        listed = asyncio.run(models.asked(provider))
    except errors.ModelError as error:
        found = f"{provider.base_url}: {error}"
        return Diagnosis(provider.name, "bad", found, models.remedy(error))
    found = (
        f"{provider.base_url}: {len(listed.models)} models, "
        f"{len(listed.embeddings)} embedding models"
    )
    return Diagnosis(provider.name, "good", found)


async def _tried_sandbox(configured: Settings) -> str | None:
    elsewhere = remote(configured.sandbox, configured.provider_values, limits=Limits())
    if elsewhere is not None:
        return await elsewhere.tried()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(Path(folder), limits=Limits(), hidden=(configured.data_dir,))
        return await sandbox.why_not()


def _sandbox(configured: Settings) -> Iterator[Diagnosis]:
    """Make a sandbox as custom code would run in, and see whether it holds a program."""
    reason = asyncio.run(_tried_sandbox(configured))
    found = "one can be made for custom tools" if reason is None else reason
    remedy = "" if reason is None or configured.sandbox != "local" else REMEDY
    yield Diagnosis("sandbox", "good" if reason is None else "poor", found, remedy)
