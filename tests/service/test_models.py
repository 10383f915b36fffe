"""What a patch makes of how an agent's model is asked."""

from dataclasses import replace

import pytest

from eunoe.domain.drafts import ModelWish
from eunoe.domain.models import ModelConfig
from eunoe.llm.registry import Registry
from eunoe.service.models import changed_model

pytestmark = pytest.mark.anyio

ON = ModelWish(settings={"provider_type": "anthropic", "thinking": {"type": "enabled"}})
OFF = ModelWish(settings={"provider_type": "anthropic", "thinking": {"type": "disabled"}})


async def changed(config: ModelConfig, wish: ModelWish) -> ModelConfig:
    return await changed_model(config, wish, agent_type="letta_v1_agent", models=Registry())


@pytest.mark.rule("R5", "FIX-53")
async def test_settings_switch_reasoning_as_far_as_the_model_obeys() -> None:
    config = ModelConfig(
        handle="anthropic/claude-sonnet-4-5",
        model="claude-sonnet-4-5",
        provider_type="anthropic",
        provider_name="anthropic",
        context_window=200_000,
        enable_reasoner=False,
    )
    on = await changed(config, ON)
    assert (on.enable_reasoner, on.max_reasoning_tokens) == (True, 1_024)
    assert await changed(on, ModelWish(max_output_tokens=512)) == replace(on, max_output_tokens=512)
    off = await changed(on, OFF)
    assert (off.enable_reasoner, off.max_reasoning_tokens) == (False, 0)
    plain = replace(config, model="claude-3-5-haiku-latest")
    assert (await changed(plain, ON)).enable_reasoner is False
