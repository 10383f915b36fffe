"""The sandbox of an ordinary user, and of one whose system has no user namespaces to give."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.rule("FIX-54")

SOMEBODY = 12_345
IS_ROOT = os.getuid() == 0
# Root's own interpreter may lie where nobody else may look.
PYTHONS = (Path(sys.executable).resolve(), Path(f"/usr/bin/python3.{sys.version_info.minor}"))
AS_SOMEBODY = ("setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups")
WITHOUT_NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"',
    "sh",
)
# As Docker's own profile does; what makes sandboxes says that the kernel does.
UNDER_A_FILTER = """
import os, sys
from eunoe.tools.inside import filters, kernel
kernel.forbid_privileges()
filters.install(network=False)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""
PROGRAM = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from tests.tools.programs import LIMITS, run, sandboxed

async def main(folder, opted_in):
    limits = replace(LIMITS, unsandboxed=opted_in)
    async with sandboxed(Path(folder), limits) as sandbox:
        assert await sandbox.tried()
        ran = await run(sandbox, "def act():\\n  return 'it ran'")
        print(ran.ok, ran.output)

asyncio.run(main(sys.argv[1], sys.argv[2] == "opted in"))
"""


@pytest.fixture
def home() -> Generator[Path]:
    """A folder that an ordinary user may use; pytest's own are for whoever runs it alone."""
    with tempfile.TemporaryDirectory() as folder:
        if IS_ROOT:
            os.chown(folder, SOMEBODY, SOMEBODY)
        yield Path(folder)


def run(*command: str, home: Path) -> subprocess.CompletedProcess[str]:
    packages = sysconfig.get_paths()["purelib"]
    environment = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "PYTHONPATH": f"{packages}:{ROOT / 'src'}",
    }
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.skipif(not IS_ROOT, reason="an ordinary user runs all of these tests already")
def test_no_attack_succeeds_where_an_ordinary_user_runs_the_server(home: Path) -> None:
    pythons = [
        str(one)
        for one in PYTHONS
        if not run(*AS_SOMEBODY, "test", "-x", str(one), home=home).returncode
    ]
    if not pythons or shutil.which("setpriv") is None:
        pytest.skip("there is no interpreter here that an ordinary user may run")
    attacks = ("tests/tools/test_sandbox_attacks.py", "tests/tools/test_sandbox_watch.py")
    options = ("-q", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={home / 'pytest'}")
    done = run(*AS_SOMEBODY, pythons[0], "-B", "-m", "pytest", *options, *attacks, home=home)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.skipif(shutil.which("unshare") is None, reason="a tool of util-linux takes them away")
@pytest.mark.parametrize("opted_in", [False, True])
def test_without_user_namespaces_tools_are_refused_aloud_unless_opted_in(
    opted_in: bool, tmp_path: Path
) -> None:
    asked = "opted in" if opted_in else "as it is"
    done = run(
        *WITHOUT_NAMESPACES, sys.executable, "-c", PROGRAM, str(tmp_path), asked, home=tmp_path
    )
    assert done.returncode == 0, done.stderr
    told = done.stdout + done.stderr
    if opted_in:
        assert "tools_unsandboxed" in told
        assert "True it ran" in told
    else:
        assert "tools_refused" in told
        assert "False" in told
        assert "EUNOE_TOOLS_UNSANDBOXED=true" in told


def test_where_a_container_forbids_sandboxes_it_is_named(tmp_path: Path) -> None:
    program = (sys.executable, "-c", UNDER_A_FILTER, "-c", PROGRAM, str(tmp_path), "as it is")
    done = run(*program, home=tmp_path)
    assert done.returncode == 0, done.stderr
    _, _, refused = done.stdout.partition("False ")
    assert "the seccomp profile of a container" in refused
    assert "--security-opt seccomp=unconfined" in refused
    assert "kernel.unprivileged_userns_clone" not in done.stdout + done.stderr
