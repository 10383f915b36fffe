"""The files of the repository, as the tests of this directory walk them."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SERVER = ROOT / "src" / "eunoe"
_PYTHON = ("src", "tests", "tools", "bench")
_NOT_OURS = {"node_modules", "__pycache__"}


def python_files(*folders: str) -> Iterator[Path]:
    """Yield the Python files under the folders, or under all that hold code of ours."""
    for folder in folders or _PYTHON:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if not _NOT_OURS.intersection(path.parts):
                yield path


def name(path: Path) -> str:
    """Return the path as the repository writes it."""
    return path.relative_to(ROOT).as_posix()


def line_count(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
