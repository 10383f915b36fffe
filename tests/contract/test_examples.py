"""Every Python block of the README and the guides, run as it stands against a real server.

Each in a process of its own, forked from one that has imported the clients: those take longer
to import than an example takes to run.
"""

import os
import re
import runpy
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.fixtures.servers import Server
from tests.fixtures.warm import FORKING
from tests.house.tree import ROOT

_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_WRITTEN = "http://127.0.0.1:8283"
_PATIENCE_S: Final = 120
_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]


def _examples() -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", block["code"])
        for page in _PAGES
        for number, block in enumerate(_BLOCK.finditer(page.read_text(encoding="utf-8")), 1)
    ]


def _run(program: Path) -> None:
    """Run a program as `python` would, with its output in files beside it."""
    for stream in (sys.stdout, sys.stderr):
        os.dup2(
            os.open(_output(program, stream.fileno()), os.O_CREAT | os.O_WRONLY), stream.fileno()
        )
    runpy.run_path(str(program), run_name="__main__")


def _output(program: Path, stream: int) -> Path:
    return program.with_suffix(f".{stream}")


@pytest.mark.parametrize(("name", "code"), _examples(), ids=[name for name, _ in _examples()])
def test_an_example_runs_as_it_is_written(
    name: str, code: str, server: Server, tmp_path: Path
) -> None:
    assert _WRITTEN in code, f"{name} does not say where the server is"
    program = tmp_path / "example.py"
    program.write_text(code.replace(_WRITTEN, server.url), encoding="utf-8")

    process = FORKING.Process(target=_run, args=(program,))
    process.start()
    process.join(_PATIENCE_S)
    ended = process.exitcode
    process.kill()

    assert ended == 0, _output(program, 2).read_text(encoding="utf-8")
    assert _output(program, 1).read_text(encoding="utf-8")
