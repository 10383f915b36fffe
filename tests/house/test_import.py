"""What an import costs: nothing for the package, and for the server only what it needs to start."""

import subprocess
import sys

import pytest

_MORE = """
import sys
before = set(sys.modules)
import {module}
print(*sorted(set(sys.modules) - before))
"""
# The last of them comes with the first route that is made, and routes are made when asked for.
_LATE = ("pgqueuer", "asyncpg", "sqlalchemy", "alembic", "pydantic_ai", "mcp", "pydantic.v1")


def _imported(module: str) -> list[str]:
    command = [sys.executable, "-I", "-c", _MORE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_importing_the_package_imports_nothing_else() -> None:
    assert _imported("eunoe") == ["eunoe"]


@pytest.mark.parametrize("module", ["eunoe.app", "eunoe.cli.main"])
def test_a_start_imports_nothing_that_can_come_later(module: str) -> None:
    assert set(_imported(module)).isdisjoint(_LATE)
