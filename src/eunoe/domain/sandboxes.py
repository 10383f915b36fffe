"""How an organization wants its custom tools run: configurations, and variables for their code."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, TypeAlias

from eunoe.domain.messages import Json
from eunoe.domain.origins import Stored

SandboxType: TypeAlias = Literal["local", "e2b", "modal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig(Stored):
    """One configuration of a type; that of where tools run has a say in how they do."""

    id: str
    type: SandboxType
    config: Json

    def configured(self, config: Json, *, at: datetime) -> "SandboxConfig":
        return replace(self, config=config, updated_at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxVariable(Stored):
    """A variable that all custom tools of the organization find in their environment (X30)."""

    id: str
    sandbox_config_id: str
    key: str
    value: str
    description: str | None = None


def fingerprint(kind: SandboxType, config: Json, *, organization_id: str) -> str:
    """Return a number, as text, that differs where the configuration does (X32)."""
    whole = {"type": kind, "organization_id": organization_id, "config": config}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return str(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))
