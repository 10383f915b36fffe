"""`import eunoe` does nothing, so a tool that only wants the version or a leaf pays for nothing else."""

import subprocess
import sys

PROBE = """
import sys
before = set(sys.modules)
import eunoe
print(*sorted(set(sys.modules) - before))
"""


def test_importing_the_package_imports_nothing_else() -> None:
    command = [sys.executable, "-I", "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == ["eunoe"]
    assert done.stderr == ""
