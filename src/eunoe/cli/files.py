"""`eunoe export` and `eunoe import`: agents as files, and what other assistants hand out."""

import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from eunoe.cli.chat import choose
from eunoe.cli.chat_exports import Talk, agent_file, chatgpt_talks, claude_talks
from eunoe.cli.client import Json, connected
from eunoe.cli.failure import CommandFailed

_MOST_BYTES: Final = 1 << 30
_FORMS: Final[tuple[tuple[str, str, Callable[[Json], Talk | None]], ...]] = (
    ("mapping", "ChatGPT", chatgpt_talks),
    ("chat_messages", "Claude", claude_talks),
)


def export(*, agent: str, output: Path | None, everything: bool, url: str | None) -> int:
    """Write an agent to a file, or to the standard output."""
    with connected(url) as client:
        chosen, _ = choose(client, agent, model=None)
        text = client.export(chosen.id, everything=everything)
    if output is None:
        sys.stdout.buffer.write(text)
        return 0
    output.write_bytes(text)
    sys.stdout.write(f"{chosen.name} is in {output}, {len(text):,} bytes.\n")
    return 0


def bring_in(*, path: Path, name: str | None, model: str | None, url: str | None) -> int:
    """Make the agents of a file; the conversations of another assistant become an agent's."""
    text, is_foreign = _read(path, name=name)
    form = {"append_copy_suffix": "false"}
    if name is not None and not is_foreign:
        form["name"] = name
    if model is not None:
        form["model"] = model
    with connected(url) as client:
        made = client.import_file(text, form=form)
        names = {one.id: one.name for one in client.agents()}
    for agent_id in made["agent_ids"]:
        sys.stdout.write(f"{names.get(agent_id, 'An agent')}  {agent_id}\n")
    for warning in made.get("warnings", ()):
        sys.stderr.write(f"eunoe: {warning}\n")
    return 0


def _read(path: Path, *, name: str | None) -> tuple[bytes, bool]:
    """Return the agent file that is sent, and whether it was made of another assistant's."""
    if not path.is_file():
        raise CommandFailed(f"There is no file {path}.")
    if zipfile.is_zipfile(path):
        return _converted(_from_zip(path), path, name=name), True
    text = path.read_bytes()
    value = _json(text, path)
    if isinstance(value, list):
        return _converted(cast("list[object]", value), path, name=name), True
    return text, False


def _json(text: bytes, path: Path) -> object:
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError) as error:
        raise CommandFailed(f"{path} is not JSON: {error}.") from error


def _from_zip(path: Path) -> list[object]:
    """Return the conversations of a data export, which may be in several members."""
    found: list[object] = []
    with zipfile.ZipFile(path) as archive:
        members = [
            one
            for one in archive.infolist()
            if Path(one.filename).name.startswith("conversations")
            and one.filename.endswith(".json")
        ]
        if not members:
            raise CommandFailed(f"{path} holds no conversations.json.")
        if sum(one.file_size for one in members) > _MOST_BYTES:
            raise CommandFailed(f"The conversations in {path} are larger than 1 GiB.")
        for one in sorted(members, key=lambda member: member.filename):
            value = _json(archive.read(one), path)
            found += cast("list[object]", value) if isinstance(value, list) else [value]
    return found


def _converted(found: list[object], path: Path, *, name: str | None) -> bytes:
    entries = [cast("Json", one) for one in found if isinstance(one, dict)]
    for key, assistant, read in _FORMS:
        if any(key in entry for entry in entries):
            talks = [talk for entry in entries if (talk := read(entry)) is not None]
            if not talks:
                raise CommandFailed(f"Nothing was said in the conversations of {path}.")
            sys.stdout.write(f"{len(talks)} conversations with {assistant} are brought in.\n")
            made = agent_file(talks, name=name or assistant)
            return json.dumps(made, ensure_ascii=False).encode("utf-8", "ignore")
    raise CommandFailed(f"{path} is neither an agent file nor a data export of ChatGPT or Claude.")
