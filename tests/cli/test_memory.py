"""`eunoe memory`, `eunoe audit` and what looks after the database, against a real server."""

import httpx
import pytest

from tests.cli.conftest import Shell


@pytest.mark.rule("api-12.20", "api-26", "G-2")
def test_a_memory_is_looked_at_and_a_database_put_back(shell: Shell) -> None:
    with shell.serving("--port", "0") as server:
        url = ("--url", server.url)
        blocks = f"{server.url}/v1/blocks/"
        made = httpx.post(blocks, json={"label": "notes", "value": "[one]"}).json()
        httpx.patch(
            f"{blocks}{made['id']}", json={"value": (two := "[two] " + "long " * 40 + "line")}
        )
        told = shell.run("memory", "history", "notes", *url).stdout.splitlines()
        assert [line.split()[0] for line in told] == ["Version", "2", "1"]
        assert "[two]" in told[1]
        changed = shell.run("memory", "diff", made["id"], *url).stdout
        assert changed.splitlines()[-2:] == ["-[one]", f"+{two}"]
        stale = shell.run("memory", "revert", "notes", "1", "--expected", "1", *url)
        assert (stale.returncode, "version 2" in stale.stderr) == (1, True)
        done = shell.run("memory", "revert", "notes", "1", *url)
        assert done.stdout == "notes is what it was at version 1\n"
        assert httpx.get(f"{blocks}{made['id']}").json()["value"] == "[one]"
        assert shell.run("memory", "history", "absent", *url).returncode == 1
        httpx.post(blocks, json={"label": "notes"})
        several = shell.run("memory", "history", "notes", *url).stderr
        assert made["id"] in several
        assert f"block.revert  {made['id']}" in shell.run("audit", *url).stdout

        backed_up = shell.run("db", "backup", "a.backup")
        assert backed_up.returncode == 0, backed_up.stderr
        httpx.delete(f"{blocks}{made['id']}")
        refused = shell.run("db", "restore", "a.backup", "--force")
        assert (refused.returncode, "stop it" in refused.stderr) == (1, True)
    assert shell.run("db", "restore", "a.backup").returncode == 1
    restored = shell.run("db", "restore", "a.backup", "--force")
    assert restored.returncode == 0, restored.stderr
    assert "nothing is wrong" in shell.run("db", "verify", "--repair").stdout
    with shell.serving("--port", "0") as server:
        kept = httpx.get(f"{server.url}/v1/blocks/{made['id']}").json()
        assert kept["value"] == "[one]"
