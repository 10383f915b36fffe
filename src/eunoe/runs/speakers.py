"""Who sums up for an agent, whether its window is full or somebody asks for it."""

from contextlib import suppress

from eunoe.domain.agents import CompactionSettings
from eunoe.domain.model_settings import with_settings
from eunoe.domain.models import ModelConfig
from eunoe.engine.compact import Speaker
from eunoe.errors import EunoeError
from eunoe.runs.ports import Models


async def summariser(settings: CompactionSettings, *, own: ModelConfig, models: Models) -> Speaker:
    """Return the model that sums up, with its settings: `own` where it is not served (C10)."""
    config = own
    if settings.model is not None and settings.model != own.handle:
        with suppress(EunoeError):
            config = await models.resolve(settings.model)
    if settings.model_settings:
        config = with_settings(config, settings.model_settings)
    return Speaker(model=models.model_for(config), config=config)
