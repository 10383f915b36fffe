"""`eunoe models`: the weights that run on this machine, and what providers serve."""

import asyncio
from collections.abc import Sequence
from typing import Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from eunoe import errors, settings
from eunoe.cli.failure import FAILED, CommandFailed
from eunoe.cli.memory import print_rows
from eunoe.llm.local_catalog import ARTIFACTS, DEFAULT_CHAT, DEFAULT_EMBEDDING, Artifact, artifact
from eunoe.llm.local_files import is_intact, is_present
from eunoe.llm.local_files import pull as pull_files
from eunoe.llm.local_source import lacking
from eunoe.llm.providers import ProviderConfig, providers_from
from eunoe.llm.sources import Endpoint, Listed
from eunoe.settings import Settings

DEFAULTS: Final = (DEFAULT_CHAT, DEFAULT_EMBEDDING)
_MEBIBYTE: Final = 1024 * 1024
_PROVIDER_S: Final = 10.0


def pull(*, names: Sequence[str]) -> int:
    """Fetch the weights of these names, or the default ones; what is there and right stays."""
    configured = settings.load()
    wanted = [artifact(name) for name in names] or list(DEFAULTS)
    console = Console(highlight=False)
    for one in wanted:
        _fetch(one, configured, console)
    console.print(f"{', '.join(one.handle for one in wanted)} in {configured.local_models}")
    if lacked := lacking():
        console.print(f"To run them, install what runs them: {lacked}", markup=False)
    return 0


def show() -> int:
    """Print the local models, then each provider's; 1 when a provider did not answer."""
    configured = settings.load()
    console = Console(highlight=False)
    rows: list[tuple[str, ...]] = []
    for one in ARTIFACTS:
        here = "yes" if is_present(one, configured.local_models) else "no"
        rows.append((one.handle, here, _mebibytes(one.size_bytes), one.summary))
    known = {one.name for one in ARTIFACTS}
    for path in sorted(configured.local_models.glob("*.gguf")):
        if path.stem not in known:
            size = _mebibytes(path.stat().st_size)
            rows.append((f"local/{path.stem}", "yes", size, "a file of yours"))
    print_rows(("Handle", "Here", "Size", "What"), rows)
    failed = asyncio.run(_show_providers(configured, console))
    return FAILED if failed else 0


async def _show_providers(configured: Settings, console: Console) -> bool:
    failed = False
    for provider in providers_from(configured.provider_values):
        console.print(f"\n{provider.name}, {provider.base_url}", style="bold", markup=False)
        try:
            listed = await asked(provider)
        except errors.ModelError as error:
            failed = True
            console.print(f"  {error}; {remedy(error)}", style="red", markup=False)
        else:
            handles = [*listed.models, *listed.embeddings]
            for handle in sorted(entry.handle for entry in handles):
                console.print(f"  {handle}", markup=False)
    return failed


async def asked(provider: ProviderConfig) -> Listed:
    """Return what a provider says that it serves. Raises `ModelError` where it says nothing."""
    endpoint = Endpoint(provider)
    try:
        async with asyncio.timeout(_PROVIDER_S):
            return await endpoint.listed()
    except TimeoutError as error:
        sentence = f"{provider.name} did not answer within {_PROVIDER_S:.0f} s"
        raise errors.ModelTimedOut(sentence) from error
    finally:
        await endpoint.aclose()


def remedy(error: errors.ModelError) -> str:
    is_key = isinstance(error, errors.ModelKeyRefused)
    return "set another key" if is_key else "check the address, the key and the network"


def ensure(configured: Settings, console: Console) -> None:
    """Fetch the default weights once, if this server runs models itself and can.

    Raises `CommandFailed` where it was told to and cannot.
    """
    if not configured.runs_local(providers_from(configured.provider_values)):
        return
    if lacked := lacking():
        if configured.local_model == "on":
            sentence = f"EUNOE_LOCAL_MODEL is on; install what that needs: {lacked}"
            raise CommandFailed(sentence)
        return
    missing = [one for one in DEFAULTS if not is_present(one, configured.local_models)]
    if missing:
        console.print(
            "No model provider is configured, so a small model will run here, once fetched."
        )
    for one in missing:
        _fetch(one, configured, console)


def _mebibytes(size: int) -> str:
    return f"{size / _MEBIBYTE:,.0f} MiB"


def _fetch(one: Artifact, configured: Settings, console: Console) -> None:
    """Fetch one artifact with a progress bar; where nobody watches, with a line in its place."""
    folder = configured.local_models
    if is_present(one, folder) and is_intact(one, folder):
        return
    if not console.is_terminal:
        console.print(f"fetching {one.handle}, {_mebibytes(one.size_bytes)}")
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(one.handle, total=one.size_bytes)

        def tell(done: int, whole: int) -> None:
            bar.update(task, completed=done, total=whole)

        asyncio.run(pull_files(one, folder, tell))
