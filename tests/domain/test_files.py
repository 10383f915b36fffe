"""How a text is stored, cut and shown, and which files stay open: pure rules."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.chunks import chunks
from eunoe.domain.directories import directories_section
from eunoe.domain.file_pages import Paginator, lines_of
from eunoe.domain.file_types import Cut, file_type
from eunoe.domain.file_views import asked_range, view
from eunoe.domain.files import (
    Directory,
    FileBlock,
    FileRequest,
    file_limits,
    numbered_name,
    opened_first,
    safe_name,
    surplus,
)
from tests.domain.test_prompt import agent, config

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = st.text(alphabet="ab .\n\r\tß", max_size=300)


def block(name: str, *, minute: int = 0, is_open: bool = True) -> FileBlock:
    return FileBlock(
        id=f"file_agent-{name}",
        file_id=name,
        folder_id="source-1",
        folder_name="docs",
        name=f"docs/{name}",
        is_open=is_open,
        visible="1: text" if is_open else None,
        last_accessed_at=NOON + timedelta(minutes=minute),
    )


@given(pieces=st.lists(TEXTS, max_size=8), size=st.integers(1, 40))
def test_pages_hold_the_text_and_know_their_lines(pieces: list[str], size: int) -> None:
    paginator = Paginator(size=size)
    pages = [page for piece in pieces for page in paginator.take(piece)]
    pages += paginator.last()
    text = "".join(pieces).replace("\r\n", "\n").replace("\r", "\n")
    assert "".join(page.text for page in pages) == text
    assert all(0 < len(page.text) <= size for page in pages)
    before = ""
    for page in pages:
        assert page.first_line == before.count("\n")
        assert page.is_inside == bool(before and not before.endswith("\n"))
        before += page.text
    assert paginator.line_count == len(text.split("\n")) - (not text or text.endswith("\n"))
    assert "".join(lines_of(iter(pages))) == text


@pytest.mark.rule("api-15.9")
@given(text=TEXTS, size=st.integers(1, 60), by=st.sampled_from(["line", "paragraph"]))
def test_chunks_lose_no_word_and_none_is_too_large(text: str, size: int, by: Cut) -> None:
    lines = [f"{line}\n" for line in text.split("\n")]
    found = list(chunks(lines, by=by, size=size))
    assert all(0 < len(one) <= size for one in found)
    assert all(one.strip() for one in found)
    assert "".join("".join(found).split()) == "".join(text.split())


@pytest.mark.rule("api-15.9")
def test_chunks_end_where_the_meaning_does() -> None:
    document = ["One is here.\n", "\n", "Two is. Three is longer than that.\n", "\n", "Four.\n"]
    assert list(chunks(document, by="paragraph", size=24)) == [
        "One is here.",
        "Two is.",
        "Three is longer than",
        "that.\n\nFour.",
    ]
    code = ["def f():\n", "    return 1\n", "\n", "def g():\n", "    return 2\n"]
    assert list(chunks(code, by="line", size=24)) == [
        "def f():\n    return 1",
        "def g():\n    return 2",
    ]


@pytest.mark.rule("F12", "F13", "FIX-59")
@given(
    lines=st.lists(st.text(alphabet="ab  ", max_size=12), max_size=30),
    start=st.integers(0, 20),
    limit=st.integers(0, 400),
)
def test_a_view_shows_lines_under_their_own_numbers_within_its_bound(
    lines: list[str], start: int, limit: int
) -> None:
    count = start + len(lines)
    whole = view(lines, start=start, end=None, line_count=count, limit=10_000)
    head, *rows = whole.split("\n")
    assert head.startswith("[Viewing ")
    assert rows == [f"{start + at + 1}: {line}" for at, line in enumerate(lines)]
    seen = view(lines, start=start, end=None, line_count=count, limit=limit)
    assert len(seen) <= limit
    assert (seen == whole) == (len(whole) <= limit)
    if 200 <= limit < len(whole):
        assert "...[TRUNCATED]" in seen


@pytest.mark.rule("F10", "FIX-61")
@given(
    offset=st.none() | st.integers(0, 30),
    length=st.none() | st.integers(1, 30),
    count=st.integers(1, 40),
)
def test_a_range_is_within_the_file(offset: int | None, length: int | None, count: int) -> None:
    if (offset or 0) >= count:
        return
    request = FileRequest(name="a", offset=offset, length=length)
    start, end = asked_range(request, line_count=count)
    assert start == (offset or 0)
    assert end is None if length is None else end == min(count, start + length)


@pytest.mark.rule("F3", "api-15.23")
@given(new=st.integers(0, 6), old=st.lists(st.integers(0, 9), max_size=6), most=st.integers(1, 5))
def test_new_files_are_open_before_all_others(new: int, old: list[int], most: int) -> None:
    coming = [f"new{number}" for number in range(new)]
    held = [block(f"old{at}", minute=minute) for at, minute in enumerate(old)]
    opened = opened_first(coming, held, most=most)
    assert len(opened) == min(most, new + len(old))
    assert opened >= set(coming[:most])
    shut = surplus(held, most=most)
    assert len(shut) == max(0, len(old) - most)
    kept = [one for one in held if one not in shut]
    assert not shut or max(one.last_accessed_at for one in shut) <= min(
        one.last_accessed_at for one in kept
    )


@pytest.mark.rule("F4", "api-15.22")
@pytest.mark.parametrize(
    ("window", "limits"),
    [
        (0, (5, 50_000)),
        (8_000, (3, 5_000)),
        (32_000, (5, 15_000)),
        (32_001, (10, 25_000)),
        (200_000, (10, 40_000)),
        (1_000_000, (15, 40_000)),
    ],
)
def test_the_context_window_decides_how_much_is_open(window: int, limits: tuple[int, int]) -> None:
    found = file_limits(agent(model=replace(config(), context_window=window)))
    assert (found.open, found.chars) == limits
    own = file_limits(replace(agent(), max_files_open=7, per_file_view_window_char_limit=9))
    assert (own.open, own.chars) == (7, 9)


@pytest.mark.rule("F16")
def test_an_agent_without_memory_blocks_sees_its_files_under_their_names() -> None:
    directory = Directory(
        name='a "b"',
        description=None,
        instructions=None,
        files=(block("one"), block("two", is_open=False)),
        unlisted=3,
    )
    text = directories_section(agent("react_agent"), [directory])
    assert "<directory name='a \"b\"'>\n" in text
    assert '<file status="open">\n<docs/one>\n<metadata>\n- read_only=true' in text
    assert "<value>\n1: text\n</value>\n</docs/one>\n</file>" in text
    assert "<value>\n\n</value>\n</docs/two>\n</file>" in text
    assert "- 3 more files are not listed" in text
    assert "- current_files_open=1\n" in text


@pytest.mark.rule("api-15.4")
@given(name=st.text(max_size=400))
def test_a_name_is_made_safe(name: str) -> None:
    safe = safe_name(name)
    assert len(safe) <= 255
    assert not set(safe) & set('/\\<>:"|?*\n\x00')
    assert len(numbered_name(safe or "x", 12)) <= 255


@pytest.mark.rule("api-15.4")
@pytest.mark.parametrize(
    ("said", "name", "kind"),
    [
        ("text/x-markdown", "a", "text/markdown"),
        ("text/plain", "a.py", "text/x-python"),
        ("TEXT/CSV; charset=x", "a.bin", "text/csv"),
        ("application/octet-stream", "Dockerfile", "text/x-dockerfile"),
        ("application/octet-stream", "a.exe", None),
        (None, "a.vue", "text/x-vue"),
    ],
)
def test_a_type_is_what_is_said_or_what_the_name_says(
    said: str | None, name: str, kind: str | None
) -> None:
    assert file_type(said, name) == kind
