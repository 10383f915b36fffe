"""Reading agent files: whatever is in one, it is read or refused."""

import json
import random
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eunoe.errors import Invalid
from eunoe.wire.agent_file_reading import read
from tests.http import v1_files
from tests.http.mutations import mutated

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.rule("api-7.2")
@settings(max_examples=150, deadline=None)
@given(st.sampled_from([v1_files.legacy(), v1_files.graph()]), st.integers())
def test_a_damaged_file_is_read_or_refused(file: dict[str, object], seed: int) -> None:
    text = json.dumps(mutated(file, random.Random(seed)))  # noqa: S311 -- hypothesis draws the seed
    with suppress(Invalid):
        assert read(text.encode(), at=NOW).agents


@pytest.mark.rule("api-7.2")
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_noise_is_refused(text: bytes) -> None:
    with pytest.raises(Invalid):
        read(text, at=NOW)
