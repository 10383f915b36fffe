"""The key `eunoe` of an agent file: what the V1 form has no words for; others ignore it.

Things stand here in this server's own form. Messages stand in the form of the rest of the
file, and `details` say of each what that form leaves out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final, Literal

from pydantic import ConfigDict, Field
from pydantic_core import to_jsonable_python
from typing_extensions import TypedDict

from eunoe.domain.agent_files import AgentFile, AgentRecord, ConversationRecord
from eunoe.domain.blocks import Block, BlockVersion
from eunoe.domain.conversations import Conversation
from eunoe.domain.groups import Group
from eunoe.domain.messages import Json, Message
from eunoe.domain.passages import Archive, Passage
from eunoe.domain.runs import Run, Step
from eunoe.wire.agent_file_messages import MessageEntry, message_entry
from eunoe.wire.shape import Shape, shown_as
from eunoe.wire.times import entity_time

FORMAT: Final = 1
"""The one form of the key; a reader refuses the others."""


class ConversationEntry(Shape):
    conversation: Conversation
    block_ids: list[str] = Field(default_factory=list[str])
    in_context_message_ids: list[str] = Field(default_factory=list[str])
    listed: list[str] = Field(default_factory=list[str])


_SAID: Final = (
    "conversation_id", "run_id", "step_id", "otid", "sender_id", "is_err", "order",
)  # fmt: skip


class Details(Shape):
    """What the V1 form of a message leaves out; a field that says nothing is absent."""

    conversation_id: str | None = None
    run_id: str | None = None
    step_id: str | None = None
    otid: str | None = None
    sender_id: str | None = None
    is_err: bool = False
    order: list[str] = Field(default_factory=list[str])
    by_client: list[str] = Field(default_factory=list[str])


class GroupCount(TypedDict, total=False):
    turns_counter: int | None
    last_processed_message_id: str | None


class Extras(Shape):
    """`said` are all messages in the order they were said, `listed` an agent's own list."""

    model_config = ConfigDict(extra="allow")

    format: Literal[1]
    said: list[str]
    messages: list[MessageEntry] = Field(default_factory=list[MessageEntry])
    details: dict[str, Details] = Field(default_factory=dict[str, Details])
    listed: dict[str, list[str]] = Field(default_factory=dict[str, list[str]])
    archive_ids: dict[str, str] = Field(default_factory=dict[str, str])
    blocks: list[Block] = Field(default_factory=list[Block])
    conversations: list[ConversationEntry] = Field(default_factory=list[ConversationEntry])
    archives: list[Archive] = Field(default_factory=list[Archive])
    passages: list[Passage] = Field(default_factory=list[Passage])
    runs: list[Run] = Field(default_factory=list[Run])
    steps: list[Step] = Field(default_factory=list[Step])
    block_versions: list[BlockVersion] = Field(default_factory=list[BlockVersion])
    groups: dict[str, GroupCount] = Field(default_factory=dict[str, GroupCount])


# Writing


def extras(file: AgentFile) -> Json:
    """Return the key of a file that holds everything."""
    shown = {message_id for record in file.agents for message_id in record.window}
    own = {block_id for one in file.conversations for block_id in one.block_ids}
    return {
        "format": FORMAT,
        "said": [message.id for message in file.messages],
        "messages": [message_entry(one) for one in file.messages if one.id not in shown],
        "details": {one.id: said for one in file.messages if (said := _details(one))},
        "listed": {record.agent.id: list(record.listed) for record in file.agents},
        "archive_ids": {
            record.agent.id: record.archive_id for record in file.agents if record.archive_id
        },
        "blocks": [to_jsonable_python(one) for one in file.blocks if one.id in own],
        "conversations": [_conversation_entry(one) for one in file.conversations],
        "archives": [to_jsonable_python(one) for one in file.archives],
        "passages": [_passage_entry(one) for one in file.passages],
        "runs": [to_jsonable_python(one) for one in file.runs],
        "steps": [to_jsonable_python(one) for one in file.steps],
        "block_versions": [to_jsonable_python(one) for one in file.versions],
        "groups": {group.id: shown_as(GroupCount, group) for group in file.groups},
    }


def _conversation_entry(one: ConversationRecord) -> Json:
    return {
        "conversation": to_jsonable_python(one.conversation),
        "block_ids": list(one.block_ids),
        "in_context_message_ids": list(one.window),
        "listed": list(one.listed),
    }


def _passage_entry(passage: Passage) -> Json:
    """Return a passage without its vector, which another embedder has to make anyway."""
    return {
        "id": passage.id,
        "archive_id": passage.archive_id,
        "text": passage.text,
        "tags": list(passage.tags),
        "metadata": passage.metadata,
        "created_at": entity_time(passage.created_at),
    }


def _details(message: Message) -> Json:
    by_client = [call.id for call in message.calls if call.by_client]
    given = {name: getattr(message, name) for name in _SAID} | {"by_client": by_client}
    return {name: value for name, value in given.items() if value}


# Reading


def with_details(message: Message, found: Mapping[str, Details]) -> Message:
    """Return the message with what `details` say of it."""
    given = found.get(message.id)
    if given is None:
        return message
    calls = tuple(replace(one, by_client=one.id in given.by_client) for one in message.calls)
    said: Json = {name: getattr(given, name) for name in _SAID}
    return replace(message, **said | {"order": tuple(given.order), "calls": calls})


def with_extras(file: AgentFile, given: Extras, messages: Sequence[Message]) -> AgentFile:
    """Return the file with all that the key holds; `messages` are those of the file and its."""
    return replace(
        file,
        whole=True,
        agents=tuple(_whole(record, given) for record in file.agents),
        groups=tuple(_counted(group, given) for group in file.groups),
        blocks=(*file.blocks, *given.blocks),
        messages=tuple(messages),
        conversations=tuple(
            ConversationRecord(
                conversation=one.conversation,
                block_ids=tuple(one.block_ids),
                window=tuple(one.in_context_message_ids),
                listed=tuple(one.listed),
            )
            for one in given.conversations
        ),
        archives=tuple(given.archives),
        passages=tuple(given.passages),
        runs=tuple(given.runs),
        steps=tuple(given.steps),
        versions=tuple(given.block_versions),
    )


def _whole(record: AgentRecord, given: Extras) -> AgentRecord:
    listed = given.listed.get(record.agent.id)
    return replace(
        record,
        archive_id=given.archive_ids.get(record.agent.id),
        listed=record.listed if listed is None else tuple(listed),
    )


def _counted(group: Group, given: Extras) -> Group:
    unsaid: GroupCount = {"turns_counter": None, "last_processed_message_id": None}
    return replace(group, **unsaid | given.groups.get(group.id, {}))
