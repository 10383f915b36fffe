"""Every Python block of the README and the guides, run as it stands against a real server."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fixtures.servers import Server
from tests.house.tree import ROOT

_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```", re.MULTILINE | re.DOTALL)
_WRITTEN = "http://127.0.0.1:8283"
_PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "howto").glob("*.md"))]


def _examples() -> list[tuple[str, str]]:
    return [
        (f"{page.name}-{number}", block["code"])
        for page in _PAGES
        for number, block in enumerate(_BLOCK.finditer(page.read_text(encoding="utf-8")), 1)
    ]


@pytest.mark.parametrize(("name", "code"), _examples(), ids=[name for name, _ in _examples()])
def test_an_example_runs_as_it_is_written(
    name: str, code: str, server: Server, tmp_path: Path
) -> None:
    assert _WRITTEN in code, f"{name} does not say where the server is"
    program = tmp_path / "example.py"
    program.write_text(code.replace(_WRITTEN, server.url), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=120, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout
