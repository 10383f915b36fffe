"""What a summariser is told to write, by mode (C16)."""

from typing import Final, assert_never

from eunoe.domain.agents import CompactionMode

_CONTENT: Final = """\
Write in the first person, as the assistant of the conversation, for yourself: later you will see \
the summary in place of the messages. Use these headings, and leave out one that would be empty:
- Goals: what the person wants, in this order and with what constraints.
- What happened: what was done, found and decided.
- Details: names, ids, numbers, dates, paths, links and quoted wording that may be needed again. \
Copy them exactly.
- Errors and fixes: what failed, why, and what worked instead."""
_NOW: Final = "- State and next step: where things stand, and what is to be done next."
_LOOKUP: Final = "- To look up: words by which left-out details can be found in the history."
_ONLY: Final = "Answer with the summary and nothing else."
_SELF: Final = (
    "Do not continue the conversation, do not answer what was asked in it, and call no tool."
)
_ALL: Final = "The whole conversation so far is about to leave your view; sum it up."
_OLDEST: Final = (
    "The oldest part of a conversation is about to leave your view, while the newer part stays "
    "in it; sum the old part up, as background to what follows."
)


def default_prompt(mode: CompactionMode) -> str:
    """Return the instructions to a summariser in this mode (C16)."""
    match mode:
        case "all":
            rows = [_ALL, _CONTENT, _NOW, _LOOKUP, _words(500), _ONLY]
        case "sliding_window":
            rows = [_OLDEST, _CONTENT, _LOOKUP, _words(300), _ONLY]
        case "self_compact_all":
            rows = [_ALL, _CONTENT, _NOW, _LOOKUP, _words(500), _SELF, _ONLY]
        case "self_compact_sliding_window":
            rows = [_OLDEST, _CONTENT, _LOOKUP, _words(300), _SELF, _ONLY]
        case _:
            assert_never(mode)
    return "\n".join(rows)


def _words(number: int) -> str:
    return f"At most {number} words."
