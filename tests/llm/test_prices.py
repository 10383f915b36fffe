"""What models cost: here nothing, as published or as the operator says elsewhere, else unknown."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from genai_prices import Usage as PublishedUsage
from genai_prices import calc_price
from hypothesis import given
from hypothesis import strategies as st

from eunoe.domain.costs import FREE, NANOS, Rates, cost_nanos
from eunoe.domain.models import ModelConfig
from eunoe.domain.runs import Usage
from eunoe.errors import SettingInvalid
from eunoe.llm.prices import Prices, read_prices

pytestmark = [pytest.mark.anyio, pytest.mark.rule("streaming-5.1")]

OPENAI = ModelConfig(
    handle="openai/gpt-4o",
    model="gpt-4o",
    provider_type="openai",
    provider_name="openai",
    endpoint="https://api.openai.com/v1",
)
USAGE = Usage(prompt_tokens=1_000, completion_tokens=100, total_tokens=1_100)
SONNET = replace(
    OPENAI,
    handle="anthropic/claude-sonnet-4-5",
    model="claude-sonnet-4-5",
    provider_type="anthropic",
    endpoint="https://api.anthropic.com/v1",
)


def at(url: str | None, provider_type: str, **more: str) -> ModelConfig:
    return replace(OPENAI, endpoint=url, provider_type=provider_type, **more)


@pytest.mark.parametrize(
    ("config", "cost"),
    [
        (OPENAI, 3_500_000),
        (at("http://127.0.0.1:9/v1", "openai"), None),
        (at("https://proxy.example.org/v1", "openai"), None),
        (replace(OPENAI, model="nobody-knows-it"), None),
        (at(None, "local", model="qwen"), 0),
        (at("http://127.0.0.1:11434/v1", "ollama"), 0),
        (at("http://gpu:8000/v1", "vllm"), 0),
        (at("https://ollama.com/v1", "ollama"), None),
        (at("http://localhost:1/v1", "openai", provider_name="llamacpp"), 0),
        (at("", "bedrock", model="anthropic.claude-3-haiku-20240307-v1:0"), 375_000),
    ],
)
async def test_a_price_is_that_of_where_the_model_is_asked(
    config: ModelConfig, cost: int | None
) -> None:
    assert cost_nanos(USAGE, await Prices().of(config)) == cost


@pytest.mark.parametrize(("cached", "written"), [(0, 0), (50_000, 1_000), (100_000, 70_000)])
@pytest.mark.parametrize("prompt", [170_000, 200_000, 200_001])
async def test_a_cost_is_what_the_published_table_makes_of_it(
    prompt: int, cached: int, written: int
) -> None:
    """Long prompts are dearer, and what a cache held or took has its own rates."""
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=333,
        cached_input_tokens=cached,
        cache_write_tokens=written,
    )
    published = PublishedUsage(
        input_tokens=prompt, output_tokens=333, cache_read_tokens=cached, cache_write_tokens=written
    )
    said = calc_price(published, SONNET.model, provider_id="anthropic").total_price
    assert cost_nanos(usage, await Prices().of(SONNET)) == round(said * NANOS)


async def test_a_model_is_looked_up_once() -> None:
    prices = Prices()
    assert prices.of(OPENAI) is prices.of(replace(OPENAI, temperature=1.0))
    assert prices.of(OPENAI) is not prices.of(SONNET)


TOML = """
["openai/gpt-4o*"]
input = 1
cached_input = 0.0375
output = 2

["*"]
input = 0
output = 0
"""
JSON = '{"gpt-4o": {"input": 1.0, "cached_input": 0.0375, "output": 2}, "*": {"input": 0, "output": 0}}'


@pytest.mark.parametrize(("name", "text"), [("p.toml", TOML), ("p.json", JSON)])
async def test_the_operators_file_comes_first(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    prices = Prices(read_prices(path))
    cached = replace(USAGE, cached_input_tokens=400, cache_write_tokens=100)
    assert cost_nanos(cached, await prices.of(OPENAI)) == 600_000 + 15_000 + 200_000
    assert cost_nanos(cached, await prices.of(SONNET)) == 0


@pytest.mark.parametrize(
    "text", ["[[", '["m"]\ninput = 1', '["m"]\ninput = -1\noutput = 1', '["m"]\ninptu = 1']
)
def test_a_file_that_says_nothing_sure_stops_the_start(tmp_path: Path, text: str) -> None:
    path = tmp_path / "prices.toml"
    path.write_text(text, encoding="utf-8")
    for unusable in (path, tmp_path / "absent.toml"):
        with pytest.raises(SettingInvalid, match="EUNOE_PRICES"):
            read_prices(unusable)


def test_what_is_not_known_is_not_nothing() -> None:
    price = (Rates(input=1, cached_input=1, cache_write=1, output=1),)
    assert cost_nanos(USAGE, None) is None
    assert cost_nanos(None, price) is None
    assert cost_nanos(None, FREE) == 0
    assert (Usage(cost_nanos=3) + Usage()).cost_nanos == 3
    assert (Usage() + Usage()).cost_nanos is None


_tokens = st.integers(0, 10_000_000)


@given(prompt=_tokens, cached=_tokens, output=_tokens, rate=st.integers(0, 10**9))
def test_a_cost_is_whole_and_never_negative(
    prompt: int, cached: int, output: int, rate: int
) -> None:
    price = (Rates(input=rate, cached_input=0, cache_write=0, output=rate),)
    usage = Usage(prompt_tokens=prompt, completion_tokens=output, cached_input_tokens=cached)
    cost = cost_nanos(usage, price)
    assert isinstance(cost, int)
    assert cost >= 0


def test_a_start_imports_no_table() -> None:
    probe = (
        "import sys, asyncio\nimport eunoe.app\nfrom eunoe.llm.prices import Prices\n"
        "from eunoe.domain.models import ModelConfig\n"
        "async def near(): return await Prices().of(ModelConfig(handle='o/m', model='m',"
        " provider_type='openai', provider_name='o', endpoint='http://127.0.0.1:1'))\n"
        "print(asyncio.run(near()), 'genai_prices' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "False"]
