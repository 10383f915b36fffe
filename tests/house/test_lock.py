"""The locks cover what pyproject.toml asks for, agree with each other, and tie nobody to an index or a machine."""

import json
import re
from itertools import pairwise
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.tree import ROOT, project

LOCKS = ROOT / "locks"
_PIN = re.compile(r"^(?P<name>[\w.-]+)==(?P<version>\S+?)(?: ; [^\\]+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")
_COMMENT = re.compile(r"^    # via [\w.,:()\- \[\]]+$")
_PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def _pins(lock: Path) -> dict[str, set[Version]]:
    """Return the versions of each package; several where markers choose between them."""
    pins: dict[str, set[Version]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        if match := _PIN.match(line):
            pins.setdefault(canonicalize_name(match["name"]), set()).add(Version(match["version"]))
    return pins


def _requirements(lock: str) -> list[Requirement]:
    config = project()
    runtime: list[str] = config["project"]["dependencies"]
    optional: dict[str, list[str]] = config["project"]["optional-dependencies"]
    extras = [text for extra in optional.values() for text in extra]
    groups: dict[str, list[str]] = config["dependency-groups"]
    asked = {
        "server.txt": runtime,
        "dev.txt": [*runtime, *extras, *groups["dev"]],
        "uv.txt": groups["bootstrap"],
    }
    return [Requirement(text) for text in asked[lock]]


@pytest.mark.parametrize("lock", ["server.txt", "dev.txt", "uv.txt"])
def test_every_requirement_is_pinned_to_a_version_that_fits(lock: str) -> None:
    pins = _pins(LOCKS / lock)
    stale = [
        str(wanted)
        for wanted in _requirements(lock)
        if not any(
            version in wanted.specifier for version in pins.get(canonicalize_name(wanted.name), ())
        )
    ]
    assert stale == [], "run `make lock`"


@pytest.mark.parametrize("lock", ["server.txt", "dev.txt", "uv.txt"])
def test_a_lock_holds_pins_hashes_and_reasons_alone(lock: str) -> None:
    """An address, an option or a path in a lock would tie its reader to one index or machine."""
    lines = (LOCKS / lock).read_text(encoding="utf-8").splitlines()
    odd = [
        line
        for line in lines
        if not (_PIN.match(line) or _HASH.match(line) or _COMMENT.match(line))
    ]
    assert odd == []
    for before, line in pairwise(lines):
        assert _HASH.match(line) or not _PIN.match(before), f"{before} has no hash"


def test_the_server_runs_on_versions_that_were_tested() -> None:
    tested = _pins(LOCKS / "dev.txt")
    assert {
        name: versions
        for name, versions in _pins(LOCKS / "server.txt").items()
        if tested.get(name) != versions
    } == {}


def test_the_pythons_are_named_alike() -> None:
    classifiers: list[str] = project()["project"]["classifiers"]
    named = [text.rsplit(" ", 1)[1] for text in classifiers if re.search(r":: 3\.\d+$", text)]
    assert tuple(named) == _PYTHONS
    assert project()["project"]["requires-python"] == f">={_PYTHONS[0]}"


def test_the_node_lock_pins_by_content() -> None:
    """`resolved` would hold the address of an index; the integrity of the content is enough."""
    lock = json.loads((ROOT / "tests/node/package-lock.json").read_text(encoding="utf-8"))
    packages = {path: package for path, package in lock["packages"].items() if path}
    assert packages
    assert all("resolved" not in package and package["integrity"] for package in packages.values())
