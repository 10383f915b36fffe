"""The server dies while a file is read; the file is read all the same, and not twice."""

import asyncio

import httpx
import pytest

from eunoe.domain.messages import Json
from tests.crash.servers import START_S, Servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

ROWS = "".join(f"Row {number} of the table, with some words in it.\n" for number in range(1_000))


@pytest.mark.rule("G-1", "api-15.9")
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_file_survives_the_process_that_reads_it(servers: Servers, step: int) -> None:
    await servers.start(point=f"after:files.advance:{step}")
    await servers.up()
    async with httpx.AsyncClient(base_url=servers.url, timeout=START_S) as client:
        body = {"name": "boats", "embedding": "openai/text-embedding-3-small"}
        folder: Json = (await client.post("/v1/folders/", json=body)).json()
        path = f"/v1/folders/{folder['id']}"
        sent = client.post(f"{path}/upload", files={"file": ("rows.csv", ROWS.encode())})
        await asyncio.gather(sent, return_exceptions=True)
        assert await servers.gone(within_s=START_S)
        await servers.start()
        await servers.up()
        async with asyncio.timeout(START_S):
            file: Json = {}
            while file.get("processing_status") != "completed":
                (file,) = (await client.get(f"{path}/files?include_content=true")).json()
        assert file["content"] == ROWS
        found: list[Json] = (await client.get(f"{path}/passages?order=asc&limit=0")).json()
        assert len(found) == file["total_chunks"] == file["chunks_embedded"]
        assert "\n".join(one["text"] for one in found) + "\n" == ROWS
