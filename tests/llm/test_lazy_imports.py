"""A server without Anthropic or Google never loads their libraries."""

import subprocess
import sys

PROBE = """
import pkgutil, sys
import eunoe.llm.registry, eunoe.llm.sources, eunoe.llm.providers, eunoe.llm.vendor
from eunoe.llm.providers import ProviderConfig
from eunoe.llm.sources import Endpoint
Endpoint(ProviderConfig(name="anthropic", provider_type="anthropic", base_url="http://h/v1"))
heavy = {"pydantic_ai", "anthropic", "openai", "google", "boto3"}
print(*sorted(heavy & {name.partition(".")[0] for name in sys.modules}))
"""


def test_the_vendors_libraries_are_loaded_by_the_first_request_only() -> None:
    command = [sys.executable, "-I", "-c", PROBE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
