"""Requests to a brought provider go where they may, whatever its host stands for by then."""

import pytest

from eunoe.errors import ModelUnreachable
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.reach import Reach
from eunoe.llm.sources import Endpoint
from eunoe.testing.http_server import serving
from tests.llm.talk import QUICK, asking, said, text_in
from tests.llm.wires import KEY, LANES

pytestmark = [pytest.mark.anyio, pytest.mark.rule("api-18.3")]


@pytest.mark.parametrize("lane", ["chat", "anthropic", "google"])
async def test_a_provider_on_loopback_is_asked_only_where_that_is_allowed(lane: str) -> None:
    wire = LANES[lane]
    kind = wire.config.provider_type if lane != "chat" else "openai"
    async with serving(wire.served()) as url:
        for private in (True, False):
            base = url.replace("127.0.0.1", "localhost") + wire.path
            provider = ProviderConfig(
                name=kind,
                provider_type=kind,
                base_url=base,
                api_key=KEY,
                category="byok",
                reach=Reach(private=private),
            )
            endpoint = Endpoint(provider, retries=QUICK)
            model = endpoint.model(wire.config)
            try:
                if private:
                    events = await said(model, asking("SAY tea", config=wire.config))
                    assert text_in(events) == "tea"
                else:
                    with pytest.raises(ModelUnreachable):
                        await said(model, asking("SAY tea", config=wire.config))
            finally:
                await endpoint.aclose()


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "::ffff:169.254.169.254", "fe80::1", "224.0.0.1", "::"]
)
async def test_where_machines_ask_for_their_credentials_nobody_is_sent(host: str) -> None:
    with pytest.raises(OSError, match="EUNOE_BYOK_PRIVATE_HOSTS"):
        await Reach(private=True).address(host, 80)


async def test_what_is_public_is_open_to_all() -> None:
    assert await Reach().address("1.1.1.1", 443) == "1.1.1.1"
    with pytest.raises(OSError, match="not at an address"):
        await Reach().address("10.0.0.1", 443)
    assert await Reach(private=True).address("10.0.0.1", 443) == "10.0.0.1"
