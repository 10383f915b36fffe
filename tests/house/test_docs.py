"""What the hand-written pages promise: links that lead somewhere, code that parses, decisions kept short."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import typer

from eunoe.cli.main import app
from eunoe.settings import ALIASES, PROVIDER_VARIABLES, variable_names
from tests.house.tree import ROOT, name

_LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)")
_PYTHON_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"\b(?:EUNOE_[A-Z0-9_]*[A-Z0-9]|(?!LETTA_)[A-Z]+_API_KEY)\b")
_COMMAND = re.compile(r"(?:^|[`(]|bin/)eunoe (?P<words>[a-z][^`\n#);|&]*)", re.MULTILINE)


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


def _told() -> dict[str, str]:
    """Return the text of everything that tells people what to set and what to type."""
    deploy = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    assert len(deploy) > 3
    return {name(path): path.read_text(encoding="utf-8") for path in [*_pages(), *deploy]}


def test_every_variable_is_a_setting() -> None:
    known = {*variable_names(), *PROVIDER_VARIABLES, *ALIASES}
    unknown = {page: set(_VARIABLE.findall(text)) - known for page, text in _told().items()}
    assert {page: names for page, names in unknown.items() if names} == {}


def _unknown(words: list[str]) -> list[str]:
    """Return what the command line does not know of a command and its options."""
    command = typer.main.get_command(app)
    while words and (below := getattr(command, "commands", None)):
        word, *words = words
        if word not in below:
            return [word]
        command = below[word]
    options = {"--help"}.union(*(one.opts for one in command.params))
    return [
        one for word in words if (one := word.partition("=")[0]) not in options and one[0] == "-"
    ]


def test_every_command_and_its_options_are_there() -> None:
    said = [
        (page, found["words"])
        for page, text in _told().items()
        for found in _COMMAND.finditer(text)
    ]
    assert len(said) > 50
    assert {(page, words) for page, words in said if _unknown(words.split())} == set()


def test_decisions_are_numbered_without_gaps_and_short() -> None:
    numbers = [int(path.name[:4]) for path in _decisions()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert {
        name(path)
        for path in _decisions()
        if len(path.read_text(encoding="utf-8").splitlines()) > 40
    } == set()
