"""Folders and files through the official client: uploaded, read in the background, found again."""

import resource
import time
from datetime import UTC, datetime
from typing import Any

import anyio.lowlevel
import pytest
from letta_client import BadRequestError, ConflictError, NotFoundError, UnprocessableEntityError

from eunoe import ids
from eunoe.domain.file_pages import TextPage
from eunoe.domain.files import File
from eunoe.store import file_texts, files
from eunoe.store.db import Actor
from tests.http.library import EMBEDDING, Library, bomb, docx, library, pdf

__all__ = ["library"]

pytestmark = pytest.mark.anyio


@pytest.mark.rule("api-15.3", "api-15.4", "api-15.9")
@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("paper.pdf", pdf("The rudder is brass."), "The rudder is brass."),
        ("marked.txt", b"\xef\xbb\xbfThe rudder is brass.", "The rudder is brass."),
        ("notes.md", b"# Boat\n\nThe rudder is brass.\n", "# Boat\n\nThe rudder is brass.\n"),
        (
            "plain.txt",
            "Grüße aus München, größer als früher. Être déjà vu à Orléans.".encode("cp1252"),
            "Grüße aus München, größer als früher. Être déjà vu à Orléans.",
        ),
        ("short.txt", "café".encode("latin-1"), "café"),
        ("cyrillic.txt", "Привет, как дела? Это текст.".encode("cp1251"), "Привет, как дела?"),
        ("wide.txt", "Grüße\n日本語\n".encode("utf-16"), "Grüße\n日本語\n"),
        ("page.html", b"<p>The <b>rudder</b></p><script>x</script>", "The rudder\n"),
        ("letter.docx", docx("Dear Ada,", "the rudder is brass."), "Dear Ada,\n\nthe rudder"),
        ("data.json", b'{"rudder": "brass"}', '{"rudder": "brass"}'),
        ("table.csv", b"part,stuff\r\nrudder,brass\r\n", "part,stuff\nrudder,brass\n"),
        ("code.py", b"def rudder():\n\n    return 'brass'\n", "def rudder():\n\n    return"),
    ],
)
async def test_the_text_of_each_kind_of_file_is_read(
    library: Library, name: str, data: bytes, said: str
) -> None:
    folder = await library.folder("boats")
    sent = await library.upload(folder.id, name, data)
    assert sent.processing_status == "parsing"
    assert sent.file_name == f"boats/{name}"
    file = await library.settled(folder.id, sent.id)
    assert (file.processing_status, file.error_message) == ("completed", None)
    assert said in file.content
    assert "\ufeff" not in file.content
    assert (file.file_name, file.original_file_name, file.file_size) == (name, name, len(data))
    assert file.total_chunks == file.chunks_embedded == 1
    reply = await library.http.get(f"/v1/folders/{folder.id}/passages")
    (passage,) = reply.json()
    assert (passage["source_id"], passage["file_id"], passage["archive_id"]) == (
        folder.id,
        file.id,
        None,
    )
    assert passage["file_name"] == name


@pytest.mark.rule("api-15.9")
@pytest.mark.parametrize(
    ("name", "data", "is_apart"),
    [
        ("notes.md", "# Süß\n".encode(), False),
        ("notes.txt", "Das Ruder ist süß und schön.".encode("cp1252"), True),
        ("page.html", b"<p>The rudder</p>", True),
    ],
)
async def test_only_what_has_to_be_parsed_or_guessed_at_is_read_by_a_process(
    library: Library, name: str, data: bytes, *, is_apart: bool
) -> None:
    folder = await library.folder("boats")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    await library.read(folder.id, name, data)
    after = resource.getrusage(resource.RUSAGE_CHILDREN).ru_minflt
    assert (after > before) is is_apart


@pytest.mark.rule("api-15.1", "api-15.2")
async def test_a_folder_is_made_found_changed_and_removed(library: Library) -> None:
    letta = library.letta
    made = await library.folder("Boats", description="All of them", metadata={"a": 1})
    assert made.embedding_config.handle == EMBEDDING
    with pytest.raises(ConflictError):
        await library.folder("Boats")
    other = await library.folder("Cars")
    with pytest.raises(ConflictError):
        await letta.folders.update(other.id, name="Boats")
    changed = await letta.folders.update(made.id, instructions="Read all.", description=None)
    assert (changed.description, changed.instructions) == ("All of them", "Read all.")
    assert [one.id async for one in letta.folders.list(name="oAt")] == [made.id]
    assert [one.id async for one in letta.folders.list()] == [made.id, other.id]
    found = await library.http.get("/v1/folders/name/Boats")
    assert found.json() == made.id
    assert (await library.http.get("/v1/folders/count")).json() == 2
    await library.read(made.id, "a.txt", b"four")
    totals = (await library.http.get("/v1/folders/metadata")).json()
    assert (totals["total_sources"], totals["total_files"], totals["total_size"]) == (2, 1, 4)
    assert (await library.http.get("/v1/embeddings/total_storage_size")).json() > 0
    assert await letta.folders.delete(made.id) is None
    with pytest.raises(NotFoundError):
        await letta.folders.retrieve(made.id)
    assert (await library.http.get("/v1/embeddings/total_storage_size")).json() == 0
    reply = await library.http.post("/v1/folders/", json={"name": "x", "colour": "red"})
    assert reply.status_code == 422


@pytest.mark.rule("api-15.4")
async def test_a_file_of_a_name_that_is_there_is_kept_as_it_was_asked(library: Library) -> None:
    folder = await library.folder("boats")
    first = await library.read(folder.id, "a.txt", b"one")
    again = await library.upload(folder.id, "a.txt", b"two")
    assert (again.file_name, again.original_file_name) == ("boats/a_(1).txt", "a.txt")
    with pytest.raises(BadRequestError):
        await library.upload(folder.id, "a.txt", b"three", duplicate_handling="error")
    raw = await library.letta.folders.files.with_raw_response.upload(
        folder.id, file=("a.txt", b"four"), duplicate_handling="skip"
    )
    assert raw.headers["x-upload-result"] == "skipped"
    assert (await raw.parse()).id == first.id
    new = await library.upload(folder.id, "a.txt", b"five", duplicate_handling="replace")
    assert new.file_name == "boats/a.txt"
    left = [one.id async for one in library.letta.folders.files.list(folder.id)]
    assert left == [new.id, again.id]


@pytest.mark.rule("api-15.4")
@pytest.mark.parametrize(
    ("name", "kind", "status"),
    [
        ("movie.mp4", "video/mp4", 415),
        (".hidden", "text/plain", 400),
        ("read.me", "Text/Plain; charset=utf-8", 200),
        ("../../etc/pass:wd.txt", "application/octet-stream", 200),
    ],
)
async def test_what_cannot_be_read_or_named_is_refused(
    library: Library, name: str, kind: str, status: int
) -> None:
    folder = await library.folder("boats")
    reply = await library.http.post(
        f"/v1/folders/{folder.id}/upload",
        params={"name": name},
        files={"file": ("x", b"text", kind)},
    )
    assert reply.status_code == status
    if status == 200:
        assert reply.json()["original_file_name"] == name.rsplit("/", 1)[-1].replace(":", "_")


@pytest.mark.rule("api-15.9")
@pytest.mark.parametrize(
    ("name", "data", "status", "why"),
    [
        ("empty.txt", b"", "error", "no text"),
        ("blank.txt", b" \n\n", "completed", None),
        ("broken.pdf", b"%PDF-1.4 and then nothing", "error", "damaged"),
        ("broken.docx", b"PK no archive", "error", "damaged"),
        ("bomb.docx", bomb(), "error", "damaged"),
        ("picture.txt", bytes(range(256)) * 20, "error", "not text"),
        ("large.txt", b"x" * (50 * 1024 * 1024 + 1), "error", "50 MiB"),
    ],
)
async def test_a_file_that_cannot_be_read_says_why(
    library: Library, name: str, data: bytes, status: str, why: str | None
) -> None:
    folder = await library.folder("boats")
    file = await library.read(folder.id, name, data)
    assert file.processing_status == status
    assert (why in file.error_message) if why else file.total_chunks == 0


@pytest.mark.rule("api-15.3", "api-15.12")
async def test_a_file_is_in_its_folder_alone(library: Library) -> None:
    folder, other = await library.folder("boats"), await library.folder("cars")
    file = await library.read(folder.id, "a.txt", b"one")
    files = library.letta.folders.files
    for act in (files.retrieve, files.delete):
        with pytest.raises(NotFoundError):
            await act(file.id, folder_id=other.id)
    assert (await files.retrieve(file.id, folder_id=folder.id)).content is None
    await library.letta.folders.files.delete(file.id, folder_id=folder.id)
    assert (await library.http.get(f"/v1/folders/{folder.id}/passages")).json() == []


@pytest.mark.rule("api-15.9")
async def test_an_archive_search_does_not_show_what_is_in_files(library: Library) -> None:
    folder = await library.folder("boats")
    await library.read(folder.id, "a.txt", b"The rudder is brass.")
    assert (await library.http.get("/v1/archives/")).json() == []
    found = await library.http.post("/v1/passages/search", json={"query": "rudder"})
    assert found.json() == []
    hidden = folder.id.replace("source", "archive")
    assert (await library.http.get(f"/v1/archives/{hidden}")).status_code == 404


@pytest.mark.rule("api-15.30")
async def test_folders_answer_to_their_old_name(library: Library) -> None:
    made = await library.http.post("/v1/sources/", json={"name": "boats"})
    folder_id = made.json()["id"]
    sent = await library.http.post(
        f"/v1/sources/{folder_id}/upload", files={"file": ("a.txt", b"one")}
    )
    await library.settled(folder_id, sent.json()["id"])
    listed = await library.http.get(f"/v1/sources/{folder_id}/files")
    assert [one["file_name"] for one in listed.json()] == ["a.txt"]
    agent = await library.agent()
    path = f"/v1/agents/{agent.id}/sources"
    state = await library.http.patch(f"{path}/attach/{folder_id}")
    assert [one["id"] for one in state.json()["sources"]] == [folder_id]
    assert [one["id"] for one in (await library.http.get(path)).json()] == [folder_id]
    of_folder = await library.http.get(f"/v1/sources/{folder_id}/agents")
    assert of_folder.json() == [agent.id]
    state = await library.http.patch(f"{path}/detach/{folder_id}")
    assert state.json()["sources"] == []


async def _refused(library: Library, **fields: Any) -> int:
    try:
        await library.agent(**fields)
    except (BadRequestError, NotFoundError, UnprocessableEntityError) as error:
        return error.status_code
    return 200


async def test_an_agent_cannot_be_given_a_folder_that_is_not_there(library: Library) -> None:
    unknown = "source-123e4567-e89b-42d3-8456-426614174000"
    assert await _refused(library, folder_ids=[unknown]) == 404
    assert await _refused(library, folder_ids=["boats"]) == 422


@pytest.mark.rule("api-15.3", "api-5.3")
async def test_pages_with_long_texts_are_short_and_lose_no_file(library: Library) -> None:
    folder = await library.folder("logs")
    text = "A line that says nothing in particular, and says it well.\n" * 60_000
    async with library.db.write(Actor()) as tx:
        for number in range(6):
            at = datetime(2026, 1, 1, 0, number, tzinfo=UTC)
            name = f"{number}.txt"
            file = File(
                id=ids.new("file"),
                folder_id=folder.id,
                name=name,
                original_name=name,
                type="text/plain",
                size=1,
                status="completed",
                created_at=at,
                updated_at=at,
            )
            await files.insert(tx, file)
            pages = [TextPage(first_line=1, is_inside=False, text=text)]
            await file_texts.add_pages(tx, file.id, pages, position=0)

    asked: Any = library.letta.folders.files.list
    first = await asked(folder.id, include_content=True)
    assert [one.file_name for one in first.items] == ["5.txt", "4.txt", "3.txt"]
    assert {one.content for one in first.items} == {text}
    assert len((await asked(folder.id)).items) == 6
    walked = [one.file_name async for one in asked(folder.id, include_content=True)]
    assert walked == [f"{number}.txt" for number in (5, 4, 3, 2, 1, 0)]
    before = await asked(folder.id, include_content=True, before=first.items[2].id)
    assert [one.file_name for one in before.items] == ["5.txt", "4.txt"]
    last = await asked(folder.id, include_content=True, order="asc", before=first.items[0].id)
    assert [one.file_name for one in last.items] == ["2.txt", "3.txt", "4.txt"]


@pytest.mark.rule("api-15.4", "api-15.9")
async def test_a_file_is_replaced_again_and_again_while_it_is_read(library: Library) -> None:
    folder = await library.folder("boats")
    sent: list[Any] = []
    for number in range(30):
        text = f"rudder {number}\n".encode() * 200
        sent += [await library.upload(folder.id, "a.txt", text, duplicate_handling="replace")]
    file = await library.settled(folder.id, sent[-1].id)
    assert (file.processing_status, file.content) == ("completed", "rudder 29\n" * 200)
    assert [one.id async for one in library.letta.folders.files.list(folder.id)] == [file.id]


@pytest.mark.rule("api-15.9")
async def test_many_small_files_do_not_wait_for_the_job_engine_to_look_again(
    library: Library,
) -> None:
    folder = await library.folder("boats")
    began = time.monotonic()
    for number in range(100):
        await library.upload(folder.id, f"{number}.txt", b"brass")
    uploaded = time.monotonic()
    left = True
    while left:
        await anyio.lowlevel.checkpoint()
        async with library.db.read(Actor()) as tx:
            left = bool(await files.left(tx))
    # It looks ten times a second for places that are free: two at each look are five seconds.
    assert time.monotonic() - uploaded < 1 + (uploaded - began)
