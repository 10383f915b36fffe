"""`eunoe memory` and `eunoe audit`: what blocks have been, who changed what, and going back."""

import sys
from typing import Final, cast

from rich.console import Console
from rich.syntax import Syntax
from rich.table import Column, Table
from rich.text import Text

from eunoe.cli.client import Client, Json, connected
from eunoe.cli.failure import CommandFailed
from eunoe.ids import is_id

_SHOWN: Final = 60
_PIPED: Final = 1_000


def history(*, block: str, limit: int, url: str | None) -> int:
    """Print the newest versions of a block, the newest first."""
    with connected(url) as client:
        path = f"/v1/blocks/{_found(client, block)}/history"
        found = client.listed(path, {"order": "desc", "limit": limit})
    rows = [
        (str(one["version"]), one["created_at"], _who(one), one["label"], _start(one["value"]))
        for one in found
    ]
    print_rows(("Version", "When", "By", "Label", "Value"), rows)
    return 0


def diff(*, block: str, since: int | None, until: int | None, url: str | None) -> int:
    """Print how a block changed between two versions."""
    asked = {"from": since, "to": until}
    with connected(url) as client:
        path = f"/v1/blocks/{_found(client, block)}/diff"
        told = cast("Json", client.ask("GET", path, params=asked))
    text: str = told["diff"] or "nothing differs"
    if sys.stdout.isatty():
        Console().print(Syntax(text.rstrip("\n"), "diff", word_wrap=True))
    else:
        sys.stdout.write(text.rstrip("\n") + "\n")
    return 0


def revert(*, block: str, version: int, expected: int | None, url: str | None) -> int:
    """Make a block what it was at a version."""
    body: Json = {"version": version, "expected_version": expected}
    with connected(url) as client:
        path = f"/v1/blocks/{_found(client, block)}/revert"
        made = cast("Json", client.ask("POST", path, json=body))
    Console().print(Text(f"{made['label']} is what it was at version {version}"))
    return 0


def audit(*, limit: int, url: str | None) -> int:
    """Print what was administered, the newest first."""
    with connected(url) as client:
        found = client.listed("/v1/audit", {"limit": limit})
    names = ("created_at", "actor_id", "action", "object_id", "request_id")
    rows = [tuple(one[name] or "" for name in names) for one in found]
    print_rows(("When", "Who", "What", "Object", "Request"), rows)
    return 0


def _found(client: Client, block: str) -> str:
    """Return the id of a block that is named by its id or by a label that no other has."""
    if is_id("block", block):
        return block
    ids: list[str] = [one["id"] for one in client.listed("/v1/blocks/", {"label": block})]
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise CommandFailed(f"There is no block labelled {block}.")
    raise CommandFailed(f"Several blocks are labelled {block}; name one: {', '.join(ids)}")


def _who(one: Json) -> str:
    by: str = one["agent_id"] or one["actor_id"] or ""
    return f"{by} in {one['run_id']}" if one["run_id"] else by


def _start(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def print_rows(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    # An id is folded rather than cut, and a pipe gets each row on one line.
    columns = [Column(heading, overflow="fold") for heading in headings]
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else _PIPED).print(table)
