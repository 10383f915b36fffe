"""A scripted model that, told "… Please remember that.", writes it into the block `human`."""

import asyncio
import re
from dataclasses import replace

import orjson

from eunoe.testing.http_server import Answer, Request, serving
from eunoe.testing.model_server import ModelServer, ServerOptions

_FACT = re.compile(r"([^\"\\]+?) Please remember that\.")


def _dictated(body: bytes) -> bytes:
    """Put the script's own command behind the last user message, where it holds a fact."""
    request = orjson.loads(body)
    for message in reversed(request["messages"]):
        if message["role"] == "user":
            text = orjson.dumps(message["content"]).decode()
            if fact := _FACT.search(text):
                arguments = orjson.dumps({"label": "human", "new_string": fact[1]}).decode()
                message["content"] = f"CALL memory_insert {arguments}"
            break
    return orjson.dumps(request)


async def main() -> None:
    server = ModelServer(ServerOptions(models=("diligent-1",)))

    def answer(request: Request) -> Answer:
        if request.path.endswith("/chat/completions"):
            request = replace(request, body=_dictated(request.body))
        return server.answer(request)

    async with serving(answer, host="127.0.0.1", port=0) as url:
        print(f"{url}/v1", flush=True)  # noqa: T201 - the line that tells a test where it listens
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
