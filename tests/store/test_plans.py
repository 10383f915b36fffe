"""What a message costs must not grow with the organization: how SQLite goes about the hot queries.

It keeps no statistics, and takes all rows of an organization for few. A plan that searches by
`organization_id` alone, or scans a table, reads every agent's rows to find one's.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from eunoe.store import (
    agents,
    archives,
    batches,
    block_versions,
    blocks,
    callbacks,
    conversations,
    events,
    file_blocks,
    folders,
    groups,
    identities,
    isolated_blocks,
    jobs,
    lists,
    messages,
    passages,
    provider_traces,
    related,
    runs,
    schedules,
    secrets,
    steps,
    tools,
)
from eunoe.store.agents import AgentFilter
from eunoe.store.archives import ArchiveFilter
from eunoe.store.blocks import BlockFilter
from eunoe.store.conversations import ConversationFilter
from eunoe.store.database import opened
from eunoe.store.db import Actor, Tx
from eunoe.store.jobs import JobFilter
from eunoe.store.messages import MessageFilter, MessagePage
from eunoe.store.paging import Page
from eunoe.store.passages import PassageFilter
from eunoe.store.runs import RunFilter
from eunoe.store.steps import StepFilter
from eunoe.store.tools import ToolFilter

pytestmark = pytest.mark.anyio

ACTOR = Actor()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOT: dict[str, Callable[[Tx], Awaitable[object]]] = {
    "an agent": lambda tx: agents.get(tx, "a"),
    "an agent's type": lambda tx: agents.type_of(tx, "a"),
    "agents by id": lambda tx: agents.many(tx, ["a", "b"]),
    "agents of a block": lambda tx: agents.list_agents(tx, AgentFilter(block_id="b"), Page()),
    "agents of an archive": lambda tx: agents.list_agents(tx, AgentFilter(archive_id="b"), Page()),
    "a block": lambda tx: blocks.get(tx, "b"),
    "blocks by id": lambda tx: blocks.many(tx, ["b", "c"]),
    "a block by label": lambda tx: blocks.by_label(tx, "a", "human"),
    "blocks of an agent": lambda tx: blocks.of_agent(tx, "a"),
    "a page of an agent's blocks": lambda tx: blocks.list_blocks(
        tx, BlockFilter(agent_id="a"), Page()
    ),
    "a block's history": lambda tx: block_versions.of(tx, ["b"]),
    "tools of agents": lambda tx: tools.of_agents(tx, ["a", "b"]),
    "a page of an agent's tools": lambda tx: tools.list_tools(tx, ToolFilter(agent_id="a"), Page()),
    "tools by id": lambda tx: tools.by_ids(tx, ["a", "b"]),
    "tools by name": lambda tx: tools.by_names(tx, ["a", "b"]),
    "an agent's archive": lambda tx: archives.attached(tx, "a"),
    "archives of an agent": lambda tx: archives.list_archives(
        tx, ArchiveFilter(agent_id="a"), Page()
    ),
    "passages of an archive": lambda tx: passages.list_passages(
        tx, PassageFilter(archive_id="a"), Page(ascending=True)
    ),
    "passages of an agent": lambda tx: passages.list_passages(
        tx, PassageFilter(agent_id="a"), Page(ascending=True)
    ),
    "a cursor": lambda tx: agents.list_agents(tx, AgentFilter(block_id="b"), Page(after="a")),
    "a detached block": lambda tx: blocks.detach(tx, "a", "b"),
    "a detached tool": lambda tx: tools.detach(tx, "a", ["b"]),
    "a detached archive": lambda tx: archives.detach(tx, "a", "b"),
    "all an agent's messages": lambda tx: messages.of_agent(tx, "a", after_seq=0, limit=5),
    "whole lists": lambda tx: lists.entries(tx, ["a", "b"]),
    "conversations of agents": lambda tx: conversations.of_agents(tx, ["a", "b"]),
    "runs of agents": lambda tx: runs.ended_of_agents(tx, ["a", "b"]),
    "steps of agents": lambda tx: steps.of_agents(tx, ["a", "b"]),
    "archives of agents": lambda tx: archives.of_agents(tx, ["a", "b"]),
    "passages of archives": lambda tx: passages.of_archives(tx, ["a", "b"]),
    "an agent's messages": lambda tx: messages.list_messages(
        tx, MessageFilter(agent_id="a"), MessagePage()
    ),
    "a run's messages": lambda tx: messages.list_messages(
        tx, MessageFilter(run_id="a"), MessagePage()
    ),
    "messages by id": lambda tx: messages.many(tx, ["a", "b"]),
    "a count of messages": lambda tx: messages.count(tx, "a"),
    "a window": lambda tx: lists.placed(tx, "a"),
    "what is new in a window": lambda tx: lists.placed(tx, "a", after_seq=5),
    "a list's last role": lambda tx: lists.last_role(tx, "a", agent_id="a"),
    "the end of a window": lambda tx: lists.newest(tx, "a", limit=2),
    "the end of a list": lambda tx: lists.recent(tx, "a", limit=12),
    "what agents have": lambda tx: related.of_all(
        tx,
        ["a", "b"],
        window=lists.WINDOW,
        blocks=blocks.OF_AGENT,
        request=lists.REQUEST,
        files=file_blocks.OF_AGENT,
        folders=folders.OF_AGENT,
        identities=identities.OF_AGENT,
        secrets=secrets.OF_AGENT,
        group=groups.MANAGED,
    ),
    "an agent's lists": lambda tx: lists.of_agent(tx, "a"),
    "an agent's runs": lambda tx: runs.list_runs(tx, RunFilter(agent_ids=("a",)), Page()),
    "a list's run": lambda tx: runs.active_on(tx, "a"),
    "a step's trace": lambda tx: provider_traces.of_step(tx, "a"),
    "a page of a run's steps": lambda tx: steps.list_steps(tx, StepFilter(run_id="a"), Page()),
    "old event logs": lambda tx: events.prune(tx, ended_before=NOW, limit=10),
    "events": lambda tx: events.read(tx, "a", after=3),
    "a deleted agent": lambda tx: agents.delete(tx, "a"),
    "a conversation": lambda tx: conversations.get(tx, "a"),
    "an agent's conversations": lambda tx: conversations.list_conversations(
        tx, ConversationFilter(agent_id="a"), Page()
    ),
    "a message noted": lambda tx: conversations.note_message(tx, "c", at=NOW),
    "a conversation's messages": lambda tx: messages.list_messages(
        tx, MessageFilter(agent_id="a", conversation_id="c"), MessagePage()
    ),
    "the run of an otid": lambda tx: messages.run_of_otid(tx, "o", MessageFilter(agent_id="a")),
    "blocks seen in a conversation": lambda tx: isolated_blocks.seen(tx, "a", conversation_id="c"),
    "ids of isolated blocks": lambda tx: isolated_blocks.ids(tx, ["c", "d"]),
    "deleted isolated blocks": lambda tx: isolated_blocks.delete(tx, "c"),
    "a removed list": lambda tx: lists.remove(tx, "c"),
    "schedules that are due": lambda tx: schedules.due(tx, now=NOW),
    "an agent's schedules": lambda tx: schedules.list_schedules(tx, "a", Page()),
    "callbacks that are due": lambda tx: callbacks.due(tx, now=NOW),
    "items of a batch to begin": lambda tx: batches.ready(tx, limit=4, batch_id="j"),
    "a batch's messages": lambda tx: messages.list_messages(
        tx, MessageFilter(batch_id="j"), MessagePage()
    ),
    "a job": lambda tx: jobs.get(tx, "j"),
}


def grows(step: str) -> bool:
    """Whether a step of a plan reads more, the more an organization has."""
    scans = step.startswith("SCAN") and "VIRTUAL TABLE" not in step
    return scans or step.endswith("(organization_id=?)")


@pytest.mark.parametrize("name", list(HOT))
async def test_no_hot_query_reads_the_whole_organization(name: str, tmp_path: Path) -> None:
    for sql, plan in await planned(HOT[name], tmp_path):
        assert not [step for step in plan if grows(step)], (sql, plan)


async def test_the_list_of_jobs_merges_the_lists_of_its_kinds_and_sorts_nothing(
    tmp_path: Path,
) -> None:
    ((sql, plan),) = await planned(lambda tx: jobs.list_jobs(tx, JobFilter(), Page()), tmp_path)
    assert plan[0].startswith("MERGE"), (sql, plan)
    # What is made in one microsecond may be sorted, a few at a time.
    sorts = [step for step in plan if "TEMP B-TREE" in step and "LAST TERM" not in step]
    assert not sorts, (sql, plan)


async def planned(
    query: Callable[[Tx], Awaitable[object]], folder: Path
) -> list[tuple[str, list[str]]]:
    """Return what a query asks SQLite, and how it goes about each statement."""
    asked: list[str] = []

    def trace(_cursor: object, sql: str, _bindings: object) -> bool:
        asked.append(sql)
        return True

    async with opened(f"sqlite:///{folder}/eunoe.db") as db, db.write(ACTOR) as tx:
        connection: Any = tx.raw
        connection.exec_trace = trace
        await query(tx)
        connection.exec_trace = None
        assert asked
        return [
            (
                sql,
                [
                    str(step[3])
                    for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}", Nothing())
                ],
            )
            for sql in asked
        ]


class Nothing(dict[str, None]):
    """Binds null to every placeholder: a plan does not depend on values."""

    def __missing__(self, key: str) -> None:
        return None
