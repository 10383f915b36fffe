"""`eunoe export` and `eunoe import` against a real server."""

import json
import zipfile
from collections.abc import Callable

import pytest

from eunoe.cli.client import Client
from tests.cli.conftest import Shell
from tests.cli.test_chat_exports import chatgpt, claude

Connect = Callable[..., Client]


@pytest.mark.rule("api-7.1", "api-7.2")
def test_agents_and_chats_travel_as_files(with_model: Shell, connect: Connect) -> None:
    shell = with_model.with_variables({"EUNOE_DEFAULT_MODEL": "openai/scripted-1"})
    folder = shell.folder
    (folder / "chats.json").write_text(json.dumps([claude(), {"chat_messages": []}]))
    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.writestr("export/conversations-001.json", json.dumps([chatgpt()]))
        archive.writestr("user.json", "{}")
    (folder / "nonsense.json").write_text("[{}]")
    with shell.serving("--port", "0") as server:
        said = shell.run("chat", "--url", server.url, said="SAY hello\n")
        assert said.returncode == 0, said.stderr
        client = connect(server.url)
        (agent,) = client.agents()

        done = shell.run("export", agent.name, "-o", "a.af", "--everything", "--url", server.url)
        assert done.returncode == 0, done.stderr
        assert f"{agent.name} is in a.af" in done.stdout
        assert json.loads((folder / "a.af").read_bytes())["eunoe"]["runs"]
        plain = shell.run("export", agent.id, "--url", server.url)
        assert "eunoe" not in json.loads(plain.stdout)

        back = shell.run("import", "a.af", "--name", "Twin", "--url", server.url)
        assert back.returncode == 0, back.stderr
        assert back.stdout.startswith("Twin  agent-")
        for file, assistant, title in (
            ("chats.json", "Claude", "A poem"),
            ("data.zip", "ChatGPT", "Postgres or not"),
        ):
            done = shell.run("import", file, "--url", server.url)
            assert done.returncode == 0, done.stderr
            assert f"1 conversations with {assistant} are brought in." in done.stdout
            made = next(one for one in client.agents() if one.name == assistant)
            file_of = json.loads(client.export(made.id, everything=True))
            (talk,) = file_of["eunoe"]["conversations"]
            assert talk["conversation"]["summary"] == title
            assert talk["conversation"]["created_at"] == "2024-03-05T16:00:00Z"
            assert len(talk["listed"]) == 4
        for file in ("nonsense.json", "absent.af"):
            assert shell.run("import", file, "--url", server.url).returncode == 1
        assert shell.run("export", "nobody", "--url", server.url).returncode == 1
