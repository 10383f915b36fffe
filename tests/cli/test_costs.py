"""`eunoe costs` and `eunoe budgets`, against a real server."""

import pytest

from tests.cli.conftest import Shell


@pytest.mark.rule("streaming-5.1")
def test_budgets_are_set_listed_and_removed(shell: Shell) -> None:
    with shell.serving("--port", "0") as server:
        url = ("--url", server.url)
        assert shell.run("costs", "--by", "model", *url).stdout.split()[:2] == ["model", "Steps"]
        made = shell.run("budgets", "set", "organization", "month", "12.5", *url)
        assert made.returncode == 0, made.stderr
        heading, row = shell.run("budgets", "list", *url).stdout.splitlines()
        assert heading.split() == ["Of", "Period", "USD", "spent", "USD", "at", "most"]
        assert row.split()[1:] == ["month", "0.000000", "12.500000"]
        assert made.stdout.splitlines()[1].split() == row.split()
        odd = shell.run("budgets", "set", "nobody", "month", "1", *url)
        assert (odd.returncode, odd.stderr.count("\n")) == (1, 1), odd.stderr
        assert odd.stderr.startswith("eunoe: path.subject: String should match"), odd.stderr
        gone = shell.run("budgets", "remove", "organization", "month", *url)
        assert (gone.returncode, "no budget" in gone.stdout) == (0, True)
        again = shell.run("budgets", "remove", "organization", "month", *url)
        assert (again.returncode, "HTTP 404" in again.stderr) == (1, True)


def test_any_password_opens_and_openais_form_of_the_address_is_known(shell: Shell) -> None:
    secured = shell.with_variables({"EUNOE_PASSWORD": "schlüssel ключ"})
    with secured.serving("--port", "0") as server:
        done = secured.run("costs", "--url", f"{server.url}/v1")
        assert done.returncode == 0, done.stderr
