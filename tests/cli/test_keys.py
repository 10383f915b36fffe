"""`eunoe keys`, and a server that wants one: the first is made and shown once."""

import re

import httpx

from tests.cli.conftest import Shell

KEY = re.compile(r"eunoe-sk-[\w-]{43}")


def test_the_first_start_makes_a_key_and_the_second_shows_none(shell: Shell) -> None:
    locked = shell.with_variables({"EUNOE_REQUIRE_KEY": "true"})
    with locked.serving("--port", "0") as server:
        (key,) = KEY.findall("\n".join(server.out))
        bearer = {"Authorization": f"Bearer {key}"}
        assert httpx.get(f"{server.url}/v1/agents/").status_code == 401
        assert httpx.get(f"{server.url}/v1/agents/", headers=bearer).json() == []
        server.stop()
        assert key not in server.err.read_text()
    with locked.serving("--port", "0") as server:
        assert KEY.findall("\n".join(server.out)) == []
        assert httpx.get(f"{server.url}/v1/agents/", headers=bearer).status_code == 200


def test_a_key_is_made_listed_and_revoked(shell: Shell) -> None:
    made = shell.run("keys", "create", "a reader", "--scope", "read", "--days", "2")
    (key,) = KEY.findall(made.stdout)
    assert made.stdout.strip() == key
    assert "EUNOE_REQUIRE_KEY" in made.stderr
    listed = shell.run("keys", "list").stdout
    assert key not in listed
    (found,) = re.findall(r"key-[0-9a-f-]{36}", listed)
    assert [line for line in listed.splitlines() if found in line and "a reader" in line]
    assert shell.run("keys", "revoke", found).returncode == 0
    assert found not in shell.run("keys", "list").stdout
    again = shell.run("keys", "revoke", found)
    assert (again.returncode, "Traceback" in again.stderr) == (1, False)
    assert shell.run("keys", "create", "x", "--scope", "root").returncode == 2
