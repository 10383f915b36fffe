"""Values to store, with everything set that can be, so that a lost field shows."""

from datetime import UTC, datetime, timedelta

from eunoe import ids
from eunoe.domain.agents import Agent, CompactionSettings
from eunoe.domain.blocks import Block
from eunoe.domain.models import EmbeddingConfig, ModelConfig
from eunoe.domain.passages import Archive, Passage
from eunoe.domain.tools import Tool

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
EMBEDDING = EmbeddingConfig(
    handle="local/small", model="small", provider_type="local", endpoint=None, dimensions=3
)
MODEL = ModelConfig(
    handle="mock/one",
    model="one",
    provider_type="openai",
    provider_name="mock",
    endpoint="http://127.0.0.1:1/v1",
    context_window=8_000,
    max_output_tokens=500,
    temperature=0.5,
    settings={"provider_type": "openai", "nested": {"größe": [1, 2.5, None]}},
)


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def plain_agent(name: str = "Ada", *, minute: int = 0, tags: tuple[str, ...] = ()) -> Agent:
    return Agent(
        id=ids.new("agent"),
        name=name,
        agent_type="letta_v1_agent",
        system="Be yourself.",
        model=MODEL,
        tags=tags,
        created_at=at(minute),
        updated_at=at(minute),
    )


def full_agent() -> Agent:
    return Agent(
        id=ids.new("agent"),
        name="Grüße 👋",
        agent_type="memgpt_v2_agent",
        system="Be yourself.\nAlways.",
        model=MODEL,
        embedding=EMBEDDING,
        compaction=CompactionSettings(mode="all", model="mock/two", clip_chars=None),
        description="",
        metadata={"a": [1, {"b": None}]},
        timezone="Europe/Rome",
        tool_rules=({"type": "exit_loop", "tool_name": "send_message"},),
        tags=("alpha", "beta"),
        message_buffer_autoclear=True,
        enable_sleeptime=False,
        response_format={"type": "json_object"},
        hidden=False,
        max_files_open=7,
        per_file_view_window_char_limit=9_000,
        project_id="project",
        template_id="template",
        base_template_id="base",
        deployment_id="deployment",
        entity_id="entity",
        last_stop_reason="end_turn",
        last_run_completion=at(5),
        last_run_duration_ms=1_234,
        created_by_id="user-a",
        last_updated_by_id="user-b",
        created_at=at(0),
        updated_at=at(1),
    )


def plain_block(label: str = "human", value: str = "Likes tea.", *, minute: int = 0) -> Block:
    return Block(id=ids.new("block"), label=label, value=value, created_at=at(minute))


def full_block() -> Block:
    return Block(
        id=ids.new("block"),
        label="persona",
        value="I am\nZoë.",
        limit=77,
        description="who",
        read_only=True,
        metadata={"k": [True]},
        tags=("x", "y"),
        hidden=True,
        is_template=True,
        template_name="tn",
        template_id="t",
        base_template_id="b",
        deployment_id="d",
        entity_id="e",
        preserve_on_migration=True,
        project_id="p",
        created_by_id="user-a",
        last_updated_by_id="user-b",
        created_at=at(3),
    )


def plain_tool(name: str, *, tool_type: str = "custom", tags: tuple[str, ...] = ()) -> Tool:
    return Tool(
        id=ids.new("tool"),
        name=name,
        tool_type=tool_type,  # pyright: ignore[reportArgumentType] -- one of its literals
        description=f"Does {name}.",
        parameters={"type": "object", "properties": {}, "required": []},
        tags=tags,
    )


def full_tool() -> Tool:
    return Tool(
        id=ids.new("tool"),
        name="everything",
        tool_type="custom",
        description="Does everything.",
        parameters={"type": "object", "properties": {"ö": {"type": "string"}}},
        tags=("a", "b"),
        source_type="python",
        source_code="def everything(ö: str) -> str:\n    return ö\n",
        args_json_schema={"x": 1},
        return_char_limit=10,
        pip_requirements=({"name": "p", "version": "1"},),
        npm_requirements=({"name": "n"},),
        default_requires_approval=True,
        parallel=True,
        idempotent=True,
        metadata={"m": 1},
        project_id="p",
        created_by_id="user-a",
        last_updated_by_id="user-b",
    )


def plain_archive(name: str = "Notes", *, minute: int = 0) -> Archive:
    return Archive(
        id=ids.new("archive"),
        name=name,
        description="of things",
        embedding=EMBEDDING,
        metadata={"k": "v"},
        created_at=at(minute),
        updated_at=at(minute),
    )


def plain_passage(archive: Archive, text: str, *, minute: int = 0, **given: object) -> Passage:
    return Passage(
        id=ids.new("passage"),
        archive_id=archive.id,
        text=text,
        embedding=archive.embedding,
        created_at=at(minute),
        updated_at=at(minute),
        **given,  # pyright: ignore[reportArgumentType] -- fields of a passage
    )
