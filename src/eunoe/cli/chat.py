"""`eunoe chat`: talk to an agent in the terminal, and watch it think, act and remember."""

import importlib
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from rich.console import Console

from eunoe.cli.client import AgentSummary, Client, ConnectionLost, Refused, connected
from eunoe.cli.failure import CommandFailed
from eunoe.cli.stream import Failed, Piece, Returned
from eunoe.cli.transcript import Transcript
from eunoe.domain.wellformed import well_formed
from eunoe.llm.local_catalog import DEFAULT_CHAT

_FIRST_BLOCKS: Final = {
    "human": "Nothing is known yet about the person I talk to.",
    "persona": (
        "I am a helpful companion who remembers. When somebody tells me something about "
        "themselves, I write it into the block `human` before I answer."
    ),
}
_HELP: Final = (
    "/memory shows the memory, /stop ends what the agent is still doing, /quit leaves; "
    "Ctrl-C stops an answer"
)
_RECONNECT_S: Final = 60.0
_PAUSE_S: Final = 0.5
_BAD_REQUEST: Final = 400


def chat(*, agent: str | None, url: str | None, model: str | None) -> int:
    """Talk until the input ends. Return the exit code: 1 when a turn of piped input failed."""
    console = Console(highlight=False)
    with connected(url) as client:
        chosen, is_new = choose(client, agent, model=model)
        talk = _Talk(client, chosen, console)
        talk.transcript.note(f"{chosen.name}  {chosen.model}  {chosen.id}")
        talk.transcript.note(f"made just now; {_HELP}" if is_new else _HELP)
        return talk.go_on()


def choose(client: Client, wanted: str | None, *, model: str | None) -> tuple[AgentSummary, bool]:
    """Return the agent of that name or id, else the newest, else a first one; and if it is new."""
    agents = client.agents()
    if wanted is not None:
        for found in agents:
            if wanted in {found.id, found.name}:
                return found, False
        names = ", ".join(found.name for found in agents[:10])
        hint = f"there are {names}" if names else "there is none yet; `eunoe chat` makes one"
        raise CommandFailed(f"No agent is called {wanted}; {hint}.")
    if agents and model is None:
        return agents[0], False
    return first_agent(client, model=model), True


def first_agent(client: Client, *, model: str | None) -> AgentSummary:
    """Make an agent that remembers: on that model, the server's default, or what goes by itself."""
    try:
        return client.create_agent(name=None, model=model, blocks=_FIRST_BLOCKS)
    except Refused as refused:
        if model is not None or refused.status != _BAD_REQUEST:
            raise
    handles = client.served().models
    if not handles:
        sentence = (
            "The server has no model to make an agent with; `eunoe doctor` says what is missing"
        )
        raise CommandFailed(sentence)
    only = handles[0] if len(handles) == 1 else None
    chosen = DEFAULT_CHAT.handle if DEFAULT_CHAT.handle in handles else only
    if chosen is None:
        some = ", ".join(handles[:8]) + (", …" if handles[8:] else "")
        sentence = f"Which model shall the first agent use? --model takes one of: {some}"
        raise CommandFailed(sentence)
    return client.create_agent(name=None, model=chosen, blocks=_FIRST_BLOCKS)


class _Talk:
    """A conversation with one agent, from the first prompt to the end of the input."""

    def __init__(self, client: Client, agent: AgentSummary, console: Console) -> None:
        self._client = client
        self._agent = agent
        self._console = console
        self._blocks = client.blocks(agent.id)
        self._failed = False
        self.transcript = Transcript(console, name=agent.name)

    def go_on(self) -> int:
        if sys.stdin.isatty():
            self._turn(self._client.waiting(self._agent.id))
        for line in self._lines():
            match line.split():
                case []:
                    continue
                case ["/quit" | "/exit"]:
                    break
                case ["/memory"]:
                    self.transcript.show_blocks(self._client.blocks(self._agent.id))
                case ["/stop"]:
                    self._stop()
                case [word, *_] if word.startswith("/"):
                    self.transcript.note(f"{word} is no command; {_HELP}", "yellow")
                case _:
                    self._turn(self._client.send(self._agent.id, well_formed(line)))
        return int(self._failed and not sys.stdin.isatty())

    def _lines(self) -> Iterator[str]:
        is_terminal = sys.stdin.isatty()
        if is_terminal:
            # Its import gives `input` line editing and history; not every platform has it.
            with suppress(ImportError):
                importlib.import_module("readline")
        while True:
            try:
                yield input("you ▸ " if is_terminal else "")
            except EOFError:
                break
            except KeyboardInterrupt:
                self._console.print()
                break

    def _turn(self, stream: Iterator[Piece]) -> None:
        """Show what is yielded and everything up to the end, approvals included."""
        try:
            self._follow(stream)
            while self.transcript.waiting:
                calls = list(self.transcript.waiting)
                approve = self._approves(list(self.transcript.waiting.values()))
                self.transcript.waiting.clear()
                self._follow(self._client.decide(self._agent.id, calls, approve=approve))
        except KeyboardInterrupt:
            self.transcript.waiting.clear()
            self._stop()
        except CommandFailed as error:
            self._failed = True
            self.transcript.note(f"✗ {error}", "red")

    def _stop(self) -> None:
        try:
            stopped = self._client.cancel(self._agent.id)
        except CommandFailed as error:
            self.transcript.note(f"✗ {error}", "red")
        else:
            self.transcript.note("stopped" if stopped else "nothing was running", "yellow")

    def _follow(self, stream: Iterator[Piece]) -> None:
        """Show a stream; as often as the server goes away, wait and take the stream up again."""
        while True:
            try:
                self._show(stream)
                break
            except ConnectionLost as lost:
                if lost.place is None:
                    raise
                self.transcript.note(f"{lost} Waiting for it …", "yellow")
                self._wait_for_server(lost)
                stream = self._client.take_up(lost.place)
        self._show_edits()

    def _wait_for_server(self, lost: ConnectionLost) -> None:
        until = time.monotonic() + _RECONNECT_S
        while True:
            # First, so that a server that breaks off at once is not asked without a rest.
            time.sleep(_PAUSE_S)
            if self._client.version() is not None:
                return
            if time.monotonic() > until:
                sentence = f"{lost} What was sent is stored; `eunoe chat` shows the agent again."
                raise CommandFailed(sentence)

    def _show(self, stream: Iterator[Piece]) -> None:
        for piece in stream:
            self.transcript.show(piece)
            if isinstance(piece, Returned):
                self._show_edits()
            if isinstance(piece, Failed):
                self._failed = True

    def _show_edits(self) -> None:
        """Show what a tool changed. Its result is sent only once the change is stored."""
        now = self._client.blocks(self._agent.id)
        self.transcript.show_edits(self._blocks, now)
        self._blocks = now

    def _approves(self, calls: list[str]) -> bool:
        for call in calls:
            self.transcript.note(f"may it run {call}?", "yellow")
        is_line_ended = False
        try:
            answer = input("  [y/N] ")
            is_line_ended = sys.stdin.isatty()
        except EOFError:
            return False
        finally:
            if not is_line_ended:
                self._console.print()
        return answer.strip().lower() in {"y", "yes"}
