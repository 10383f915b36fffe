"""Packages of tools: installed once for all who want the same, and read-only."""

import asyncio
import os
import shutil
import time
from pathlib import Path

import pytest

from eunoe.tools.programs import Ran, Requirement
from eunoe.tools.sandbox import Sandbox
from eunoe.tools.sandbox_packages import MOST_SETS
from tests.tools.packages import wheel
from tests.tools.programs import program, sandboxed

pytestmark = pytest.mark.anyio


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages that is all that the installer knows of."""
    folder = tmp_path / "wheels"
    wheel(folder, "eunoesample", "1.0", "value = 'one'")
    wheel(folder, "eunoesample", "2.0", "value = 'two'")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return folder


async def sampled(sandbox: Sandbox, version: str | None) -> Ran:
    source = """
        import eunoesample
        def act():
            try:
                open(eunoesample.__file__, "a")
            except OSError:
                return eunoesample.value
    """
    needed = (Requirement(name="eunoesample", version=version),)
    return await sandbox.run(program(source, requirements=needed), arguments={})


@pytest.mark.rule("X22")
async def test_packages_are_installed_once_and_cannot_be_changed(
    index: Path, tmp_path: Path
) -> None:
    async with sandboxed(tmp_path / "sandbox") as sandbox:
        both = await asyncio.gather(sampled(sandbox, None), sampled(sandbox, None))
        assert [ran.output for ran in both] == ["two"] * 2, both
        assert (await sampled(sandbox, "1.0")).output == "one"
        (index / "eunoesample-1.0-py3-none-any.whl").unlink()
        assert (await sampled(sandbox, "1.0")).output == "one"
        await sandbox.forget_packages()
        assert not (await sampled(sandbox, "1.0")).ok


@pytest.mark.rule("X22")
async def test_sets_of_packages_that_nobody_uses_any_more_make_room(
    index: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "sandbox" / "packages"
    async with sandboxed(tmp_path / "sandbox") as sandbox:
        assert (await sampled(sandbox, "1.0")).output == "one"
        (first,) = folder.iterdir()
        for number in range(MOST_SETS):
            (folder / f"unused-{number}").mkdir()
        (folder / ".new-left").mkdir()
        long_ago = time.time() - 10_000
        for at, place in enumerate([first, *(one for one in folder.iterdir() if one != first)]):
            os.utime(place, (long_ago + at, long_ago + at))
        # Whatever is used is not what goes, nor is what was used a moment ago.
        assert (await sampled(sandbox, "1.0")).output == "one"
        assert (await sampled(sandbox, "2.0")).output == "two"
        left = {one.name for one in folder.iterdir()}
        assert first.name in left
        assert len(left) == MOST_SETS
        os.utime(first, (long_ago - 1, long_ago - 1))
        (folder / "one-more").mkdir()
        assert (await sampled(sandbox, ">=1.0")).output == "two"
        assert not first.exists()
        shutil.rmtree(tmp_path / "cache")
        wheel(index, "eunoesample", "1.0", "value = 'one anew'")
        # The interpreter that had the old folder is not asked any more.
        assert (await sampled(sandbox, "1.0")).output == "one anew"


@pytest.mark.rule("X22")
@pytest.mark.usefixtures("index")
async def test_what_cannot_be_installed_is_said(tmp_path: Path) -> None:
    async with sandboxed(tmp_path / "sandbox") as sandbox:
        ran = await sampled(sandbox, "==9.9")
    assert not ran.ok
    assert "could not be installed" in str(ran.output)
    assert "9.9" in str(ran.output)


@pytest.mark.rule("X27")
async def test_the_official_client_is_there_for_who_says_where_it_goes(
    index: Path, tmp_path: Path
) -> None:
    code = "class Letta:\n  def __init__(self, **given):\n    self.given = given"
    wheel(index, "letta_client", "1.0", code)
    source = "def act():\n  return client and client.given"
    asked = program(source, requirements=(Requirement(name="letta-client"),))
    said = {"LETTA_API_KEY": "key", "LETTA_BASE_URL": "http://server"}
    async with sandboxed(tmp_path / "sandbox") as sandbox:
        ran = await sandbox.run(asked, arguments={}, variables=said)
        assert ran.output == {"api_key": "key", "base_url": "http://server"}, ran
        ran = await sandbox.run(asked, arguments={}, variables={"LETTA_API_KEY": "key"})
        assert ran.output == "None", "it would go elsewhere"


@pytest.mark.rule("X22")
@pytest.mark.parametrize(
    ("name", "version", "reason"),
    [
        ("--index-url=http://evil", None, "not the name of a package"),
        ("fine", "1.0 --pre", "not a version"),
        ("fine", "1.0; import os", "not a version"),
    ],
)
async def test_a_requirement_is_never_an_option_of_the_installer(
    tmp_path: Path, name: str, version: str | None, reason: str
) -> None:
    asked = program("def act(): pass", requirements=(Requirement(name=name, version=version),))
    async with sandboxed(tmp_path) as sandbox:
        ran = await sandbox.run(asked, arguments={})
    assert not ran.ok
    assert reason in str(ran.output)
