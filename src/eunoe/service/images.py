"""Images behind URLs, fetched when the message is accepted and stored as base64 (L6).

The server fetches on a caller's word, so it never does so inside its own network
(`runs/outbound`), wherever a redirect leads.
"""

import asyncio
import base64
import mimetypes
from typing import Final
from urllib.parse import unquote_to_bytes

import httpx

from eunoe import errors
from eunoe.domain.messages import Image
from eunoe.domain.pictures import picture, picture_type
from eunoe.errors import ImageInvalid, Invalid
from eunoe.runs.outbound import Outbound

_TIMEOUT_S: Final = 5.0
_REDIRECTS: Final = 3
_BYTES: Final = 20 * 1024 * 1024
_OK: Final = range(200, 300)
_HEADERS: Final = {"Accept": "image/*", "User-Agent": "eunoe"}


class ImageFetcher:
    """Fetches images, with one HTTP client for the life of the process.

    `allow_private` lets it into private and loopback networks; an operator's choice.
    `timeout_s` bounds a fetch with its one retry, which waits for a tenth of it.
    """

    def __init__(self, *, allow_private: bool = False, timeout_s: float = _TIMEOUT_S) -> None:
        self._outbound = Outbound(allow_private=allow_private)
        self._timeout_s = timeout_s

    async def __call__(self, url: str) -> Image:
        """Return the image at an http, https or data URL; raise `Invalid` when it cannot be had."""
        if url.startswith("data:"):
            return _inline(url)
        try:
            return await self._fetch_twice(url)
        except (errors.AddressRefused, errors.AnswerTooLarge, errors.RedirectedTooOften) as error:
            raise Invalid(f"The image {_brief(url)} cannot be had. {error}") from error
        except TimeoutError as error:
            raise Invalid(f"The image {_brief(url)} did not arrive in time.") from error
        except errors.AddressUnreachable as error:
            raise Invalid(f"The image {_brief(url)} cannot be fetched.") from error

    async def close(self) -> None:
        await self._outbound.close()

    async def _fetch_twice(self, url: str) -> Image:
        """Fetch within the time given to both tries, the second after a timed-out first."""
        async with asyncio.timeout(self._timeout_s):
            try:
                async with asyncio.timeout(self._timeout_s / 2):
                    return await self._get(url)
            except TimeoutError:
                await asyncio.sleep(self._timeout_s / 10)
                return await self._get(url)

    async def _get(self, url: str) -> Image:
        found = await self._outbound.fetch(
            url,
            headers=_HEADERS,
            timeout_s=self._timeout_s,
            most_bytes=_BYTES,
            redirects=_REDIRECTS,
        )
        if found.status not in _OK:
            raise Invalid(f"The URL of the image {_brief(found.url)} answered {found.status}.")
        return _image(found.data, media_type=found.media_type, url=found.url)


def _inline(url: str) -> Image:
    head, _, body = url.removeprefix("data:").partition(",")
    media_type, _, encoding = head.partition(";")
    if not encoding.endswith("base64"):
        body = base64.b64encode(unquote_to_bytes(body)).decode()
    image = picture(body, called=media_type)
    if image is None:
        raise ImageInvalid
    return image


def _image(data: bytes, *, media_type: str, url: str) -> Image:
    if not media_type.startswith("image/"):
        media_type = mimetypes.guess_type(httpx.URL(url).path)[0] or media_type
    kind = picture_type(data, called=media_type)
    if kind is None:
        raise ImageInvalid
    return Image(media_type=kind, data=base64.b64encode(data).decode())


def _brief(url: str) -> str:
    """Return a URL to name in an error: without query and credentials, which may be secret."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return "at this URL"
    return str(parsed.copy_with(query=None, username=None, password=None, fragment=None))[:200]
