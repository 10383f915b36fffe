"""A check is switched off for one line only, by its code, and with the reason beside it."""

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import name, python_files

_SUPPRESSION = re.compile(r"#\s*(?:noqa|type:\s*ignore|pyright:|ruff:)")
_EXPLAINED = re.compile(
    r"#\s*(?:noqa:\s*[A-Z]+\d+(?:,\s*[A-Z]+\d+)*|pyright:\s*ignore\[[\w, ]+\])(?:\s+|\s*[-—:#]\s*)(?P<reason>\S.*)"
)


def _unexplained(code: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT and _SUPPRESSION.search(token.string):
            explained = _EXPLAINED.search(token.string)
            if explained is None or len(re.findall(r"[A-Za-z]{2,}", explained["reason"])) < 2:
                yield f"{token.start[0]}: {token.string}"


def _sources() -> list[Path]:
    return list(python_files())


def test_every_suppression_has_a_code_and_a_reason() -> None:
    found = {
        name(path): list(_unexplained(path.read_text(encoding="utf-8"))) for path in _sources()
    }
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("comment", "good"),
    [
        ("# noqa: S603 - the command is fixed", True),
        ("# pyright: ignore[reportPrivateUsage] the library has no public way", True),
        ("# noqa: S603", False),
        ("# noqa", False),
        ("# noqa: S603, S607", False),
        ("# type: ignore[arg-type] the stub is wrong", False),
        ("# pyright: ignore", False),
        ("# pyright: basic", False),
        ("# ruff: noqa: S603 - the whole file", False),
        ("# ignored by the caller", True),
    ],
)
def test_the_rule_itself(comment: str, *, good: bool) -> None:
    assert (list(_unexplained(f"x = 1  {comment}\n")) == []) is good
