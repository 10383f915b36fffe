"""`eunoe demo`: whether an agent remembers after the server was stopped and started again.

The proof is the memory block, read through the API; what the agent says about it is shown,
and how well it says so is the model's affair.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from rich.console import Console

from eunoe import settings
from eunoe.cli.chat import first_agent
from eunoe.cli.client import Client
from eunoe.cli.failure import FAILED, CommandFailed
from eunoe.cli.stream import Failed, Piece, Returned
from eunoe.cli.transcript import Transcript
from eunoe.settings import ALIASES, PREFIX, Settings

_FACTS: Final = (
    ("My name is Ada.", "Ada"),
    ("I live in Lisbon.", "Lisbon"),
    ("My dog is called Biscuit.", "Biscuit"),
)
_QUESTION: Final = "What is my name, where do I live, and what is my dog called?"
_START_S: Final = 120.0
_STOP_S: Final = 30.0
_PAUSE_S: Final = 0.05
_LOG_LINES: Final = 10


def demo(*, model: str | None, data_dir: Path | None) -> int:
    """Run the demonstration; 0 if every fact is in the memory after the restart."""
    configured = settings.load()
    console = Console(highlight=False)
    if data_dir is not None:
        return _run(configured, console, model=model, data_dir=data_dir.absolute())
    with tempfile.TemporaryDirectory(prefix="eunoe-demo-") as folder:
        return _run(configured, console, model=model, data_dir=Path(folder))


def _run(configured: Settings, console: Console, *, model: str | None, data_dir: Path) -> int:
    data_dir.mkdir(parents=True, exist_ok=True)
    environment = _environment(configured, data_dir)
    with _running(environment, console) as client:
        agent = first_agent(client, model=model or configured.default_model)
        transcript = Transcript(console, name=agent.name)
        transcript.note(f"{agent.name} speaks through {agent.model}; it is told three facts.")
        for fact, _ in _FACTS:
            _tell(client, agent.id, f"{fact} Please remember that.", transcript)
        written = client.blocks(agent.id)
        transcript.note("The memory that the agent wrote:")
        transcript.show_blocks(written)
    transcript.note("The server was stopped. It is started again, and asked.")
    with _running(environment, console) as client:
        survived = client.blocks(agent.id)
        _tell(client, agent.id, _QUESTION, transcript)
    return _verdict(transcript, written, survived)


def _verdict(transcript: Transcript, written: dict[str, str], survived: dict[str, str]) -> int:
    """Say what became of the facts, and whose fault a missing one is."""
    if survived != written:
        transcript.note("✗ The memory changed while the server was down:", "red")
        transcript.show_edits(written, survived)
        return FAILED
    text = " ".join(survived.values()).casefold()
    missing = [fact for fact, word in _FACTS if word.casefold() not in text]
    if missing:
        sentence = (
            "✗ The memory survived, but the model never wrote down: "
            f"{' '.join(missing)} A larger model does: eunoe demo --model HANDLE"
        )
        transcript.note(sentence, "red")
        return FAILED
    transcript.note("✓ All three facts survived the restart.", "green")
    return 0


def _tell(client: Client, agent_id: str, text: str, transcript: Transcript) -> None:
    transcript.note(f"you ▸ {text}", "")
    before = client.blocks(agent_id)
    for piece in _answer(client, agent_id, text):
        transcript.show(piece)
        if isinstance(piece, Returned):
            after = client.blocks(agent_id)
            transcript.show_edits(before, after)
            before = after


def _answer(client: Client, agent_id: str, text: str) -> Iterator[Piece]:
    for piece in client.send(agent_id, text):
        yield piece
        if isinstance(piece, Failed):
            raise CommandFailed(f"The model did not answer: {piece.message}")


@contextmanager
def _running(environment: dict[str, str], console: Console) -> Generator[Client]:
    """Run a server until the block ends, then stop it as a supervisor would, with SIGTERM."""
    folder = environment["EUNOE_DATA_DIR"]
    command = [sys.executable, "-m", "eunoe", "server"]
    with (Path(folder) / "server.log").open("a+") as log:
        # Started in its own folder, it reads no `.env` of ours.
        server = subprocess.Popen(  # noqa: S603 - this very program, with fixed arguments
            command, env=environment, cwd=folder, stdout=log, stderr=log
        )
        try:
            with Client(f"http://127.0.0.1:{environment['EUNOE_PORT']}") as client:
                with console.status("starting the server …"):
                    _wait_until_up(client, server, log)
                yield client
        finally:
            _stop(server)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(_STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def _wait_until_up(client: Client, server: "subprocess.Popen[bytes]", log: IO[str]) -> None:
    pause = threading.Event()
    for _ in range(round(_START_S / _PAUSE_S)):
        if client.version() is not None:
            return
        if server.poll() is not None:
            break
        pause.wait(_PAUSE_S)
    log.seek(0)
    last = log.read().strip().splitlines()[-_LOG_LINES:]
    raise CommandFailed("The server did not start; the end of its log:\n" + "\n".join(last))


def _environment(configured: Settings, data_dir: Path) -> dict[str, str]:
    """Return this environment with a server of its own in it: its port, its file, no password."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(PREFIX) and name not in ALIASES
    }
    return {
        **kept,
        **configured.provider_values,
        "EUNOE_PORT": str(_free_port()),
        "EUNOE_DATA_DIR": str(data_dir),
        "EUNOE_MODELS_DIR": str(configured.local_models),
        "EUNOE_LOCAL_MODEL": configured.local_model,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
