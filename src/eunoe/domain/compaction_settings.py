"""How an agent's compaction settings are filled in and changed (api 6.20, agent C9)."""

from dataclasses import replace
from typing import Final

from eunoe.domain.agents import CompactionSettings
from eunoe.domain.compaction_prompts import default_prompt
from eunoe.domain.drafts import CompactionPatch
from eunoe.domain.models import ModelConfig

_SUMMARISERS: Final = {
    "anthropic": "anthropic/claude-haiku-4-5",
    "openai": "openai/gpt-5-mini",
    "google_ai": "google_ai/gemini-2.5-flash",
    "letta": "letta/auto",
}


def summariser_of(config: ModelConfig) -> str:
    """Return the handle that sums up for an agent by default: its provider's small model."""
    return _SUMMARISERS.get(config.provider_name, config.handle)


def filled(patch: CompactionPatch | None, *, model: ModelConfig) -> CompactionSettings:
    """Return the settings of a new agent: what the caller sent over the defaults."""
    start = CompactionSettings(model=summariser_of(model))
    start = replace(start, prompt=default_prompt(start.mode))
    return start if patch is None else merged(start, patch)


def merged(settings: CompactionSettings, patch: CompactionPatch) -> CompactionSettings:
    """Return `settings` with what was sent; another mode without a prompt brings its own."""
    changed = replace(settings, **patch.changes)
    if changed.mode != settings.mode and "prompt" not in patch.changes:
        return replace(changed, prompt=default_prompt(changed.mode))
    return changed


def followed(
    settings: CompactionSettings, *, before: ModelConfig, after: ModelConfig
) -> CompactionSettings:
    """Return `settings` for an agent that moved to another model.

    A summariser that was still the default becomes the new provider's default.
    """
    if summariser_of(after) == settings.model or settings.model != summariser_of(before):
        return settings
    return replace(settings, model=summariser_of(after), model_settings=None)
