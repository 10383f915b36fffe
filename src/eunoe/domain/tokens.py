"""The tokens of a model's replies, for whoever trains on them: ids, and how likely each was."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from eunoe.domain.approvals import asks
from eunoe.domain.messages import Json, Message, text_of, words_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensWanted:
    """`top` is how many likely tokens are wanted beside each one, null for no probabilities."""

    top: int | None = None
    ids: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """What a provider told of one reply; null where it told nothing.

    `logprobs` is `{content: [{token, logprob, bytes, top_logprobs}], refusal}`.
    """

    logprobs: Json | None = None
    ids: tuple[int, ...] | None = None


def turns_of(messages: Sequence[Message], told: Mapping[str, Tokens]) -> list[Json]:
    """Return each reply and each return of a run in order, replies with their tokens.

    `told` is what is known of replies, by the ids of their messages.
    """
    return [turn for message in messages for turn in _turns(message, told)]


def _turns(message: Message, told: Mapping[str, Tokens]) -> Iterator[Json]:
    if message.role == "assistant" or asks(message):
        tokens = told.get(message.id, Tokens())
        yield {
            "role": "assistant",
            "content": text_of(message) or None,
            "output_ids": None if tokens.ids is None else list(tokens.ids),
            "output_token_logprobs": _pairs(tokens),
            "tool_name": None,
        }
    for returned in message.returns:
        yield {
            "role": "tool",
            "content": words_of(returned.output),
            "output_ids": None,
            "output_token_logprobs": None,
            "tool_name": returned.name,
        }


def _pairs(tokens: Tokens) -> list[list[object]] | None:
    """Return probability and id of each token, null unless both are there for all of them."""
    rows: Sequence[Json] = (tokens.logprobs or {}).get("content") or ()
    if not rows or tokens.ids is None or len(rows) != len(tokens.ids):
        return None
    return [[row["logprob"], one] for row, one in zip(rows, tokens.ids, strict=True)]
