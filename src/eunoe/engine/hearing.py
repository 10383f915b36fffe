"""A call of the heartbeat loop while it comes in: what of it is thought, said, and called.

The thought is shown first, so the call is held back until its thought has ended (streaming
2.10.1). A call of the message tool is shown as what it says and nothing else.
"""

from dataclasses import dataclass, field
from typing import Final

from eunoe.domain.arguments import REQUEST_HEARTBEAT, THINKING, read_arguments
from eunoe.domain.messages import ToolCall
from eunoe.domain.sieve import Piece, Sieve
from eunoe.domain.views import Answered, Body, CallFragment, Thought
from eunoe.errors import ToolArgumentsInvalid

NO_ARGUMENTS: Final = "{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """How calls are to be read.

    `speech` is the tool and its argument that are what the agent says, null where calls are to
    be shown as calls; `thinking` is whether the model was asked to think in an argument.
    """

    speech: tuple[str, str] | None
    thinking: bool


@dataclass(slots=True, kw_only=True)
class HeardCall:
    """One call, made of the fragments that `take` is given."""

    id: str
    name: str
    hearing: Hearing
    speech: str = ""
    """What has been shown of the message."""
    thought: str = ""
    _arguments: list[str] = field(default_factory=list[str])
    _asked: str | None = None
    _held: list[Body] = field(default_factory=list[Body])
    _sieve: Sieve = field(init=False)

    def __post_init__(self) -> None:
        reserved = {REQUEST_HEARTBEAT, *({THINKING} if self.hearing.thinking else ())}
        own = {self._spoken} if self._spoken else set[str]()
        self._sieve = Sieve(watched=reserved | own, removed=reserved)
        if not self._spoken:
            self._held.append(CallFragment(call_id=self.id, name=self.name))

    @property
    def _spoken(self) -> str | None:
        """The argument that is what the agent says, null where this is an ordinary call."""
        speech = self.hearing.speech
        return speech[1] if speech is not None and speech[0] == self.name else None

    def take(self, fragment: str) -> list[Body]:
        """Add a fragment; return what is to be shown now."""
        return self._shown(self._sieve.feed(fragment))

    def end(self) -> list[Body]:
        """Return what was held back: no more is coming."""
        shown = self._shown(self._sieve.finish())
        if not "".join(self._arguments).strip():
            self._place(Piece(key=None, text=NO_ARGUMENTS), shown)
            shown += self._shown([])
        return shown

    def call(self) -> ToolCall:
        return ToolCall(
            id=self.id,
            name=self.name,
            arguments="".join(self._arguments),
            heartbeat=self._heartbeat(),
            thinking=self.thought or None,
        )

    def _shown(self, pieces: list[Piece]) -> list[Body]:
        thoughts: list[Body] = []
        for piece in pieces:
            self._place(piece, thoughts)
        if self.hearing.thinking and not self._sieve.over and THINKING not in self._sieve.closed:
            return thoughts
        released, self._held = self._held, []
        self.speech += "".join(body.text for body in released if isinstance(body, Answered))
        return thoughts + released

    def _place(self, piece: Piece, thoughts: list[Body]) -> None:
        if piece.key is None:
            self._arguments.append(piece.text)
            if not self._spoken:
                self._held.append(CallFragment(call_id=self.id, arguments=piece.text))
        elif piece.key == REQUEST_HEARTBEAT:
            self._asked = (self._asked or "") + piece.text
        elif piece.form == "bare":
            return
        elif piece.key == THINKING and self.hearing.thinking:
            self.thought += piece.text
            thoughts.append(Thought(text=piece.text, native=False))
        else:
            self._held.append(Answered(text=piece.text))

    def _heartbeat(self) -> bool:
        """Return whether a heartbeat was asked for, read the forgiving way where JSON is broken."""
        asked: object = self._asked
        if asked is None and self._sieve.broken:
            try:
                asked = read_arguments("".join(self._arguments)).get(REQUEST_HEARTBEAT)
            except ToolArgumentsInvalid:
                return False
        return str(asked).strip().lower() == "true"
