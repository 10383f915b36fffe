"""The command `eunoe`. What a command needs is imported when it is given, so that help is quick."""

import gc
import importlib
import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Final, Literal, cast

import typer

from eunoe import errors
from eunoe.cli.failure import FAILED, INTERRUPTED, MISUSED, CommandFailed

app: Final = typer.Typer(
    name="eunoe",
    help="A server for stateful LLM agents that speaks the Letta V1 API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
budgets: Final = typer.Typer(help="How much may be spent on models.", no_args_is_help=True)
db: Final = typer.Typer(help="Look after the database.", no_args_is_help=True)
models: Final = typer.Typer(help="The models that run on this machine.", no_args_is_help=True)
secrets: Final = typer.Typer(help="The keys that seal stored secrets.", no_args_is_help=True)
keys: Final = typer.Typer(help="The keys that open the server.", no_args_is_help=True)
memory: Final = typer.Typer(help="What memory blocks have been.", no_args_is_help=True)
app.add_typer(budgets, name="budgets")
app.add_typer(db, name="db")
app.add_typer(keys, name="keys")
app.add_typer(memory, name="memory")
app.add_typer(models, name="models")
app.add_typer(secrets, name="secrets")

_Subject = Annotated[str, typer.Argument(help="organization, or the id of an agent or a key.")]
_Period = Annotated[Literal["day", "month", "total"], typer.Argument(help="Of which time.")]
_Limit = Annotated[int, typer.Option(min=1, help="How many at most.")]
_Days = Annotated[float | None, typer.Option(min=0, max=36_500, help="For how many days.")]
_Url = Annotated[
    str | None, typer.Option("--url", help="The server, if it is not the configured one.")
]
_Block = Annotated[str, typer.Argument(help="A block's id, or a label that only one has.")]
_Model = Annotated[str | None, typer.Option("--model", help="Handle of the model to use.")]


@app.command()
def server(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes; PostgreSQL only.")] = None,
    *,
    secure: Annotated[
        bool, typer.Option("--secure", help="Want a password; make one up if none is set.")
    ] = False,
) -> None:
    """Start the server."""
    _do("serve", "serve", host=host, port=port, workers=workers, secure=secure)


@app.command()
def worker() -> None:
    """Carry out what the servers on the same PostgreSQL take in; serves no requests."""
    _do("worker", "work")


@app.command()
def chat(
    agent: Annotated[str | None, typer.Argument(help="Name or id; the newest if absent.")] = None,
    url: _Url = None,
    model: _Model = None,
) -> None:
    """Talk to an agent of the running server; makes a first one if there is none."""
    _do("chat", "chat", agent=agent, url=url, model=model)


@app.command()
def mcp(url: _Url = None) -> None:
    """Offer the agents of the running server to an MCP client, over standard input and output."""
    _do("mcp", "serve", url=url)


@app.command()
def demo(
    model: _Model = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where to keep the data; forgotten if absent.")
    ] = None,
) -> None:
    """Tell an agent three facts, restart the server, and see what it remembers."""
    _do("demo", "demo", model=model, data_dir=data_dir)


@app.command()
def export(
    agent: Annotated[str, typer.Argument(help="Name or id of the agent.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file; standard output if absent.")
    ] = None,
    url: _Url = None,
    *,
    everything: Annotated[
        bool,
        typer.Option(
            "--everything", help="With all conversations, archives, runs and the history of blocks."
        ),
    ] = False,
) -> None:
    """Write an agent of the running server to a file."""
    _do("files", "export", agent=agent, output=output, everything=everything, url=url)


@app.command("import")
def import_(
    path: Annotated[
        Path, typer.Argument(help="An agent file, or a data export of ChatGPT or Claude.")
    ],
    name: Annotated[str | None, typer.Option(help="What the agent is called.")] = None,
    model: _Model = None,
    url: _Url = None,
) -> None:
    """Make an agent of a file, or of what another assistant has of you."""
    _do("files", "bring_in", path=path, name=name, model=model, url=url)


@app.command()
def audit(limit: _Limit = 50, url: _Url = None) -> None:
    """List what was administered on the running server, the newest first."""
    _do("memory", "audit", limit=limit, url=url)


@app.command()
def costs(
    by: Annotated[
        Literal["agent", "model", "key", "day"] | None, typer.Option(help="A sum for each.")
    ] = None,
    days: _Days = None,
    agent: Annotated[str | None, typer.Option(help="Of the agent with this id.")] = None,
    url: _Url = None,
) -> None:
    """Sum up what models cost on the running server."""
    _do("costs", "costs", by=by, days=days, agent=agent, url=url)


@budgets.command("list")
def budgets_list(url: _Url = None) -> None:
    """List the budgets, and what is spent of each."""
    _do("costs", "budgets", url=url)


@budgets.command("set")
def budgets_set(
    subject: _Subject,
    period: _Period,
    usd: Annotated[float, typer.Argument(min=0, max=1e9, help="How many dollars.")],
    url: _Url = None,
) -> None:
    """Bound what is spent in each day or month of UTC, or in total."""
    _do("costs", "bound", subject=subject, period=period, usd=usd, url=url)


@budgets.command("remove")
def budgets_remove(subject: _Subject, period: _Period, url: _Url = None) -> None:
    """Remove a budget."""
    _do("costs", "unbound", subject=subject, period=period, url=url)


@app.command()
def doctor() -> None:
    """Check everything a server needs, and say how to mend what is wrong."""
    _do("doctor", "doctor")


@app.command()
def version() -> None:
    """Print the version."""
    typer.echo(importlib.import_module("importlib.metadata").version("eunoe"))


@db.command("upgrade")
def db_upgrade() -> None:
    """Bring the database up to this version; the server does so itself when it starts."""
    _do("db", "upgrade")


@db.command("backup")
def db_backup(
    path: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
) -> None:
    """Copy the database to a file, while the server runs; PostgreSQL needs pg_dump."""
    _do("db", "backup", path=path)


@keys.command("create")
def keys_create(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        Literal["read", "run", "write", "admin"], typer.Option(help="What it may do.")
    ] = "write",
    agent: Annotated[
        list[str] | None, typer.Option(help="The id of an agent; for all if absent.")
    ] = None,
    organization: Annotated[
        str | None, typer.Option(help="Whose; the default's if absent.")
    ] = None,
    user: Annotated[str | None, typer.Option(help="Who acts with it.")] = None,
    days: _Days = None,
) -> None:
    """Make a key, and print it this once."""
    _do(
        "keys",
        "create",
        name=name,
        scope=scope,
        agents=agent or [],
        organization=organization,
        user=user,
        days=days,
    )


@keys.command("list")
def keys_list() -> None:
    """List the keys: who each is, what it opens, when it was last used."""
    _do("keys", "show")


@keys.command("revoke")
def keys_revoke(key: Annotated[str, typer.Argument(help="The id of the key.")]) -> None:
    """Revoke a key; the next request with it is refused."""
    _do("keys", "revoke", key=key)


@db.command("check", hidden=True)
@db.command("verify")
def db_verify(
    *, repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended.")] = False
) -> None:
    """Look for damage and for what does not fit together; exits with 1 when there is some."""
    _do("db", "verify", repair=repair)


@db.command("restore")
def db_restore(
    path: Annotated[Path, typer.Argument(help="What `eunoe db backup` wrote.")],
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Also in the place of a database that is there.")
    ] = False,
) -> None:
    """Put a backup where the database is; no server may be running on it."""
    _do("db", "restore", path=path, force=force)


@memory.command("history")
def memory_history(block: _Block, limit: _Limit = 20, url: _Url = None) -> None:
    """List the versions of a block: when, by whom, and what it became."""
    _do("memory", "history", block=block, limit=limit, url=url)


@memory.command("diff")
def memory_diff(
    block: _Block,
    since: Annotated[int | None, typer.Option("--from", help="The older version.")] = None,
    until: Annotated[int | None, typer.Option("--to", help="The newer version.")] = None,
    url: _Url = None,
) -> None:
    """Show how a block changed between two versions; the newest change if none is named."""
    _do("memory", "diff", block=block, since=since, until=until, url=url)


@memory.command("revert")
def memory_revert(
    block: _Block,
    version: Annotated[int, typer.Argument(help="The version to go back to.")],
    expected: Annotated[
        int | None, typer.Option("--expected", help="Only if it is at this version.")
    ] = None,
    url: _Url = None,
) -> None:
    """Make a block what it was at a version, as a new version."""
    _do("memory", "revert", block=block, version=version, expected=expected, url=url)


@models.command("pull")
def models_pull(
    names: Annotated[
        list[str] | None, typer.Argument(help="Which; the default ones if absent.")
    ] = None,
) -> None:
    """Fetch the weights of local models, and check them."""
    _do("models", "pull", names=names or [])


@models.command("list")
def models_list() -> None:
    """List the local models, and what the configured providers serve."""
    _do("models", "show")


@secrets.command("key")
def secrets_key() -> None:
    """Print a fresh key for EUNOE_ENCRYPTION_KEY."""
    _do("secrets", "key")


@secrets.command("rotate")
def secrets_rotate() -> None:
    """Seal everything that is stored with the newest key."""
    _do("secrets", "rotate")


def main() -> None:
    """Run the command line; what goes wrong is one sentence on standard error."""
    # A sign that the terminal's encoding lacks costs that sign, and not the command.
    cast("TextIOWrapper", sys.stdout).reconfigure(errors="replace")
    try:
        app()
    except CommandFailed as failure:
        _quit(str(failure), failure.code)
    except errors.EunoeError as error:
        misused = isinstance(error, (errors.SettingUnknown, errors.SettingInvalid))
        _quit(str(error), MISUSED if misused else FAILED)
    except OSError as error:
        # What concerns no file of the user's is a mistake of ours.
        if error.filename is None:
            raise
        _quit(f"{error.filename}: {error.strerror}.", FAILED)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _do(module: str, deed: str, **options: object) -> None:
    """Run a command's function, which returns the exit code."""
    # pydantic would read of every package that is installed whether it is a plugin of its own.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    # What an import makes stays, and the collector would look through it again and again.
    gc.disable()
    found = getattr(importlib.import_module(f"eunoe.cli.{module}"), deed)
    gc.enable()
    code = cast("Callable[..., int]", found)(**options)
    if code:
        sys.exit(code)


def _quit(sentence: str, code: int) -> None:
    sys.stderr.write(f"eunoe: {sentence}\n")
    sys.exit(code)
