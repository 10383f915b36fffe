"""What the hand-written pages promise: links that lead somewhere, code that parses, decisions kept short."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import ROOT, name

_LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)")
_PYTHON_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)


def _pages() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]


def _decisions() -> list[Path]:
    return sorted((ROOT / "docs/adr").glob("[0-9]*.md"))


def _dead_links(page: Path) -> Iterator[str]:
    for link in _LINK.finditer(page.read_text(encoding="utf-8")):
        if not (page.parent / link["target"]).exists():
            yield link["target"]


def test_every_relative_link_leads_somewhere() -> None:
    assert len(_pages()) > len(_decisions()) > 0
    dead = {name(page): list(_dead_links(page)) for page in _pages()}
    assert {page: links for page, links in dead.items() if links} == {}


def test_every_python_block_parses() -> None:
    blocks = [
        block
        for page in _pages()
        for block in _PYTHON_BLOCK.finditer(page.read_text(encoding="utf-8"))
    ]
    assert blocks
    for block in blocks:
        ast.parse(block["code"])


def test_decisions_are_numbered_without_gaps_and_short() -> None:
    numbers = [int(path.name[:4]) for path in _decisions()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {
        name(path)
        for path in _decisions()
        if len(path.read_text(encoding="utf-8").splitlines()) > 40
    } == set()
