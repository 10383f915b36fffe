"""What an agent has open of its folders, what it sees of that, and the tools that read files."""

import json

import pytest
from letta_client import NotFoundError

from eunoe.runs import file_search
from tests.http.library import Library, library

__all__ = ["library"]

pytestmark = pytest.mark.anyio

PLAN = b"# Plan\n\n  Paint the hull.\nBuy rope.\nSail.\n"
TOOLS = ["open_files", "grep_files", "semantic_search_files"]


async def _with_files(library: Library, *names: str, data: bytes = PLAN) -> str:
    folder = await library.folder("boats", description="Of wood", instructions="Be brief.")
    for name in names:
        await library.read(folder.id, name, data)
    folder_id: str = folder.id
    return folder_id


async def _open(library: Library, agent_id: str) -> list[str]:
    return sorted(one.file_name for one in await library.files(agent_id, is_open=True))


@pytest.mark.rule("F1", "F2", "L17", "api-6.70")
async def test_the_first_folder_brings_the_tools_and_the_last_takes_them(library: Library) -> None:
    one = await _with_files(library, "plan.md")
    two = (await library.folder("cars")).id
    agent = await library.agent(include_base_tools=False)
    assert "<directories>" not in await library.prompt(agent.id)
    letta = library.letta

    async def tools() -> list[str]:
        found = letta.agents.tools.list(agent.id, order="asc")
        return [str(tool.name) async for tool in found]

    for folder_id in (one, one, two):
        assert await letta.agents.folders.attach(folder_id, agent_id=agent.id) is None
    assert sorted(await tools()) == sorted(TOOLS)
    listed = [folder.id async for folder in letta.agents.folders.list(agent.id)]
    assert sorted(listed) == sorted([one, two])
    assert await letta.folders.agents.list(one) == [agent.id]
    await letta.agents.folders.detach(one, agent_id=agent.id)
    assert (await library.files(agent.id), len(await tools())) == ([], 3)
    await letta.agents.folders.detach(two, agent_id=agent.id)
    assert await tools() == []
    assert "<directories>" not in await library.prompt(agent.id)


@pytest.mark.rule("F12", "F14", "F15", "FIX-4b", "FIX-59", "api-15.28", "api-6.70")
async def test_an_agent_made_with_a_folder_sees_its_files_by_the_lines_they_have(
    library: Library,
) -> None:
    folder_id = await _with_files(library, "plan.md")
    agent = await library.agent(
        folder_ids=[folder_id], max_files_open=5, per_file_view_window_char_limit=15_000
    )
    assert [one.id for one in agent.sources] == [folder_id]
    assert {tool.name for tool in agent.tools} > set(TOOLS)
    (block,) = agent.memory.file_blocks
    assert (block.is_open, block.label, block.source_id) == (True, "boats/plan.md", folder_id)
    seen = "[Viewing lines 1-5 of 5]\n1: # Plan\n2: \n3:   Paint the hull.\n4: Buy rope.\n5: Sail."
    assert block.value == seen
    expected = (
        "<file_limits>\n- current_files_open=1\n- max_files_open=5\n</file_limits>\n"
        '<directory name="boats">\n<description>Of wood</description>\n'
        "<instructions>Be brief.</instructions>\n"
        '<file status="open" name="boats/plan.md">\n<metadata>\n- read_only=true\n'
        f"- chars_current={len(seen)}\n- chars_limit=15000\n</metadata>\n"
        f"<value>\n{seen}\n</value>\n</file>\n</directory>\n</directories>"
    )
    await library.say(agent.id, "SAY Hello")
    system = json.loads(library.model.requests[-1])["messages"][0]["content"]
    assert expected in system
    await library.letta.agents.files.close(block.file_id, agent_id=agent.id)
    await library.say(agent.id, "SAY Hello")
    system = json.loads(library.model.requests[-1])["messages"][0]["content"]
    assert '<file status="closed" name="boats/plan.md">' in system
    assert "Paint the hull" not in system
    context = await library.http.get(f"/v1/agents/{agent.id}/context")
    assert context.json()["num_tokens_directories"] > 0
    changed = await library.letta.agents.update(agent.id, folder_ids=[])
    assert changed.sources == []


@pytest.mark.rule("F3", "F5", "F6", "api-15.23", "api-15.24", "api-15.25", "api-15.26", "api-15.27")
async def test_no_more_files_are_open_than_may_be(library: Library) -> None:
    folder_id = await _with_files(library, "a.txt", "b.txt", "c.txt")
    agent = await library.agent(folder_ids=[folder_id], max_files_open=2)
    assert await _open(library, agent.id) == ["boats/a.txt", "boats/b.txt"]
    held = {one.file_name: one.file_id for one in await library.files(agent.id, limit=1)}
    assert len(held) == 3, "a page that is not the last says so"
    letta = library.letta
    assert await letta.agents.files.open(held["boats/b.txt"], agent_id=agent.id) == []
    assert await letta.agents.files.open(held["boats/c.txt"], agent_id=agent.id) == ["boats/a.txt"]
    await library.read(folder_id, "new.txt", PLAN)
    assert await _open(library, agent.id) == ["boats/c.txt", "boats/new.txt"]
    await letta.agents.update(agent.id, max_files_open=1)
    assert await _open(library, agent.id) == ["boats/new.txt"]
    assert await letta.agents.files.close_all(agent.id) == ["boats/new.txt"]
    assert await _open(library, agent.id) == []
    unknown = "file-123e4567-e89b-42d3-8456-426614174000"
    for act in (letta.agents.files.open, letta.agents.files.close):
        with pytest.raises(NotFoundError):
            await act(unknown, agent_id=agent.id)


@pytest.mark.rule("F7", "F8", "F10", "F11", "FIX-4b", "FIX-61")
async def test_an_agent_opens_a_stretch_of_a_file_and_sees_it_at_its_next_step(
    library: Library,
) -> None:
    folder_id = await _with_files(library, "a.txt", "b.txt")
    agent = await library.agent(folder_ids=[folder_id], max_files_open=2)
    wanted = [{"file_name": "boats/a.txt", "offset": 2, "length": 2}]
    told, status = await library.call(agent.id, "open_files", file_requests=wanted)
    assert status == "success"
    assert "- boats/a.txt: lines 3-4 of 5 (before: lines 1-5)" in told
    system = json.loads(library.model.requests[-1])["messages"][0]["content"]
    assert "[Viewing lines 3-4 of 5]\n3:   Paint the hull.\n4: Buy rope.\n</value>" in system
    wanted = [{"file_name": "b.txt", "length": 1}]
    told, _ = await library.call(
        agent.id, "open_files", file_requests=wanted, close_all_others=True
    )
    assert "- boats/b.txt: lines 1-1 of 5" in told
    assert "Closed, as you asked: boats/a.txt" in told
    (shown,) = await library.files(agent.id, is_open=True)
    assert (shown.start_line, shown.end_line) == (1, 1)
    assert shown.visible_content == "[Viewing lines 1-1 of 5]\n1: # Plan"


@pytest.mark.rule("F9")
@pytest.mark.parametrize(
    ("requests", "why"),
    [
        ([], "empty"),
        ([{"file_name": "boats/a.txt"}] * 3, "2 can be open"),
        ([{"file_name": "boats/a.txt", "offset": -1}], "first line of a file is 0"),
        ([{"file_name": "boats/a.txt", "length": 0}], "one line or more"),
        ([{"file_name": "boats/a.txt", "offset": 5}], "has 5 lines"),
        ([{"file_name": "boats/z.txt"}], "Your files: boats/a.txt"),
    ],
)
async def test_what_cannot_be_opened_is_told_and_changes_nothing(
    library: Library, requests: list[dict[str, object]], why: str
) -> None:
    folder_id = await _with_files(library, "a.txt")
    agent = await library.agent(folder_ids=[folder_id], max_files_open=2)
    before = await library.files(agent.id)
    told, status = await library.call(agent.id, "open_files", file_requests=requests)
    assert (status, why in told) == ("error", True), told
    assert await library.files(agent.id) == before


@pytest.mark.rule("F9")
async def test_a_name_that_two_files_have_is_not_said_to_be_missing(library: Library) -> None:
    folder_id = await _with_files(library, "a.txt")
    other = await library.folder("cars")
    await library.read(other.id, "a.txt", b"Wheels.")
    agent = await library.agent(folder_ids=[folder_id, other.id])
    told, status = await library.call(agent.id, "open_files", file_requests=["a.txt"])
    why = "`a.txt` names no single file. Your files: boats/a.txt, cars/a.txt"
    assert (status, told) == ("error", why)


@pytest.mark.rule("F17", "F18", "F19")
async def test_grep_shows_matches_with_their_lines_page_by_page(library: Library) -> None:
    rows = "\n".join(f"row {number}" for number in range(25)).encode()
    folder_id = await _with_files(library, "a.txt", "b.md")
    await library.read(folder_id, "rows.csv", rows)
    agent = await library.agent(folder_ids=[folder_id])
    told, status = await library.call(agent.id, "grep_files", pattern="HULL", include="*.md")
    assert (status, told) == (
        "success",
        (
            "1 matches in 1 of 1 files.\nThese are 1 to 1.\nMatches by file:\n- boats/b.md: 1\n\n"
            "=== boats/b.md:3 ===\n  2: \n> 3:   Paint the hull.\n  4: Buy rope."
        ),
    )
    told, _ = await library.call(agent.id, "grep_files", pattern="^row", context_lines=0)
    assert "25 matches in 1 of 3 files.\nThese are 1 to 20." in told
    assert told.endswith("There are more; go on with offset=20.")
    told, _ = await library.call(agent.id, "grep_files", pattern="^row", offset=20)
    assert "These are 21 to 25." in told
    told, _ = await library.call(agent.id, "grep_files", pattern="submarine")
    assert told == "No match for `submarine` in 3 files."
    for pattern, why in (("(", "not a regular expression"), ("x" * 1_001, "1 to 1000")):
        told, status = await library.call(agent.id, "grep_files", pattern=pattern)
        assert (status, why in told) == ("error", True), told


@pytest.mark.rule("F18", "F20", "FIX-60")
async def test_an_expression_that_never_ends_is_ended(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_search, "GREP_S", 1.0)
    folder_id = await _with_files(library, "a.txt", data=b"a" * 60 + b"!")
    agent = await library.agent(folder_ids=[folder_id])
    told, status = await library.call(agent.id, "grep_files", pattern="(a|aa)+$")
    assert (status, "longer than 1 seconds" in told) == ("error", True), told


@pytest.mark.rule("F21")
async def test_files_are_found_by_what_they_mean(library: Library) -> None:
    folder_id = await _with_files(library, "a.txt")
    await library.read(folder_id, "b.txt", b"The captain likes tea with milk.")
    agent = await library.agent(folder_ids=[folder_id])
    told, status = await library.call(
        agent.id, "semantic_search_files", query="tea for the captain", limit=1
    )
    assert (status, told) == (
        "success",
        (
            "Found 1 passages in 1 files.\n\n=== boats/b.txt (passage #1) ===\n"
            "The captain likes tea with milk."
        ),
    )
    _, status = await library.call(agent.id, "semantic_search_files", query=" ")
    assert status == "error"
