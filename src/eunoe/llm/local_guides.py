"""What a small model is shown of the built-in tools beyond their description: when, and how.

A model of half a billion parameters does not choose well between descriptions.
It does choose between short reasons that it first writes down, once it has seen
a few turns in which each was right. docs/howto/local-models.md has the measurements.
"""

from dataclasses import dataclass
from typing import Final

AT_ONCE: Final = "I can answer at once"
"""The reason for a reply without a tool."""

_NEWS: Final = "The user tells something new about themselves"
_CORRECTION: Final = "The user corrects something I remember"
_EARLIER: Final = "The user asks about an earlier conversation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guide:
    """Why the tool is called, and the arguments worth offering; none of the optional ones.

    `is_quiet` where the result is the memory block, which the prompt shows already:
    a small model that reads it again writes it again.
    """

    because: str
    arguments: tuple[str, ...]
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One turn of an example: what the user says, and the call or the reply that is right.

    `calls` names alternatives; the first that is offered is shown, and without
    one the whole example is left out.
    """

    said: str
    calls: tuple[tuple[str, dict[str, object]], ...] = ()
    result: str = ""
    reply: str


GUIDES: Final = {
    "core_memory_append": Guide(because=_NEWS, arguments=("label", "content"), is_quiet=True),
    "core_memory_replace": Guide(
        because=_CORRECTION, arguments=("label", "old_content", "new_content"), is_quiet=True
    ),
    "memory_insert": Guide(because=_NEWS, arguments=("label", "new_string"), is_quiet=True),
    "memory_replace": Guide(
        because=_CORRECTION, arguments=("label", "old_string", "new_string"), is_quiet=True
    ),
    "conversation_search": Guide(because=_EARLIER, arguments=("query",)),
    "archival_memory_search": Guide(
        because="The answer may be in my archive", arguments=("query",)
    ),
    "archival_memory_insert": Guide(
        because="This text belongs in my archive", arguments=("content",)
    ),
    "send_message": Guide(because=AT_ONCE, arguments=("message",)),
}


def _noted(text: str) -> tuple[tuple[str, dict[str, object]], ...]:
    return (
        ("core_memory_append", {"label": "human", "content": text}),
        ("memory_insert", {"label": "human", "new_string": text}),
    )


def _corrected(old: str, new: str) -> tuple[tuple[str, dict[str, object]], ...]:
    return (
        ("core_memory_replace", {"label": "human", "old_content": old, "new_content": new}),
        ("memory_replace", {"label": "human", "old_string": old, "new_string": new}),
    )


EXAMPLES: Final = (
    Shown(said="Hi, how are you?", reply="I am well, thank you. And you?"),
    Shown(
        said="I play the violin.",
        calls=_noted("I play the violin."),
        reply="Good to know, I will remember it.",
    ),
    Shown(said="How much is 7 times 8?", reply="56."),
    Shown(said="Which instrument do I play?", reply="You play the violin."),
    Shown(
        said="My car is red now, not blue.",
        calls=_corrected("blue", "red"),
        reply="Thank you, I have corrected it.",
    ),
    Shown(
        said="What did I tell you about my boat?",
        calls=(("conversation_search", {"query": "boat"}),),
        result="user: My boat is called Swan.",
        reply="You told me that it is called Swan.",
    ),
    Shown(said="What is the capital of Peru?", reply="Lima."),
    Shown(
        said="I'm Olga and I bake bread in Oslo. Please remember that.",
        calls=_noted("I'm Olga and I bake bread in Oslo."),
        reply="Nice to meet you, Olga!",
    ),
)
"""Shown in this order; what is noted is what was said, word for word.

The last weighs most, so it shows what is missed most without it. A note in other words
than the user's teaches the model to put words of these examples into its notes.
"""
