"""The official JavaScript client goes the main path against the same server."""

import pytest

from tests.fixtures.servers import Server
from tests.node.runtime import run_node


@pytest.mark.rule("api-1.2", "api-1.12", "api-8.4", "api-10.4", "G-4")
@pytest.mark.parametrize("program", ["contract.mjs", "resources.mjs"])
def test_the_javascript_client(server: Server, program: str) -> None:
    done = run_node(program, timeout_s=120, EUNOE_URL=server.url)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert server.faults() == []
