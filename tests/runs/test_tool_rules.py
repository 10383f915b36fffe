"""Runs under tool rules, over a real database: what is offered, forced, refused, and when it ends."""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest

from eunoe.domain.agents import Agent
from eunoe.domain.events import CallDelta, Ended, ModelEvent, Shown, Stopped, UsageReported
from eunoe.domain.events import Finished as Finish
from eunoe.domain.messages import Json, Message, ToolReturn, text_of
from eunoe.domain.runs import Usage
from eunoe.domain.tool_rules import REFUSED
from eunoe.domain.tools import ToolSchema
from eunoe.domain.views import UserSaid
from eunoe.engine.ports import ModelRequest
from eunoe.testing.scripted import ScriptedModel, call, say
from tests.crash.invariants import faults
from tests.runs.conftest import CountingTools, World
from tests.runs.faulty import stored, waiting, worker

pytestmark = pytest.mark.anyio


def rule(kind: str, name: str, **fields: object) -> Json:
    return {"type": kind, "tool_name": name, "prompt_template": None, **fields}
