"""`eunoe chat` against a real server, its input piped; and on a terminal, interrupted."""

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable

import httpx
import pytest

from eunoe.cli.client import Client
from tests.cli.conftest import COMMAND, PATIENCE_S, Shell

Connect = Callable[..., Client]
MODEL = "openai/scripted-1"


def test_it_makes_a_first_agent_and_shows_a_turn(with_model: Shell, connect: Connect) -> None:
    lines = [
        'THINK She is Ada. CALL memory_insert {"label": "human", "new_string": "Name: Ada"}',
        "/memory",
        "/frobnicate",
        "SAY bye",
        "/quit",
        "SAY never said",
    ]
    with with_model.serving("--port", "0") as server:
        done = with_model.run("chat", "--url", server.url, said="\n".join(lines))
        assert done.returncode == 0, done.stderr
        (agent,) = connect(server.url).agents()
        shown = done.stdout
        for text in (
            f"{agent.name}  {MODEL}",
            "∴ She is Ada.",
            '⚙ memory_insert label="human" new_string="Name: Ada"',
            "✎ human",
            "    + Name: Ada",
            "/frobnicate is no command",
            f"{agent.name} ▸ bye",
        ):
            assert text in shown
        assert "never said" not in shown
        assert "Name: Ada" in connect(server.url).blocks(agent.id)["human"]
        again = with_model.run("chat", agent.name, "--url", server.url, said="SAY again\n")
        assert f"{agent.name} ▸ again" in again.stdout
        assert len(connect(server.url).agents()) == 1


def test_what_goes_wrong_is_said_and_counts(with_model: Shell) -> None:
    with with_model.serving("--port", "0") as server:
        failed = with_model.run("chat", "--url", server.url, said="FAIL 500\nSAY fine\n")
        assert failed.returncode == 1
        assert "✗" in failed.stdout
        assert "▸ fine" in failed.stdout
        foreign = subprocess.run(
            [*COMMAND, "chat", "--url", server.url],
            env=with_model.environment,
            input=b"SAY caf\xe9\n",
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert (foreign.returncode, b" caf\n" in foreign.stdout) == (0, True), foreign.stderr
        absent = with_model.run("chat", "nobody", "--url", server.url)
        assert absent.returncode == 1
        assert "No agent is called nobody; there are " in absent.stderr
        unknown = with_model.run("chat", "--url", server.url, "--model", "openai/x", said="hi\n")
        assert unknown.returncode == 1
        assert "HTTP 404" in unknown.stderr


def test_of_several_models_it_asks_which(shell: Shell, diligent_url: str, model_url: str) -> None:
    two = shell.with_variables({"OPENAI_BASE_URL": model_url, "VLLM_API_BASE": diligent_url})
    with two.serving("--port", "0") as server:
        done = two.run("chat", "--url", server.url)
    assert done.returncode == 1
    assert "--model takes one of: " in done.stderr
    assert MODEL in done.stderr


def test_a_password_is_asked_for_and_used(with_model: Shell) -> None:
    guarded = with_model.with_variables({"EUNOE_PASSWORD": "correct horse"})
    with guarded.serving("--port", "0") as server:
        without = with_model.run("chat", "--url", server.url)
        assert (without.returncode, "EUNOE_PASSWORD" in without.stderr) == (1, True)
        wrong = with_model.with_variables({"EUNOE_PASSWORD": "wrong"})
        refused = wrong.run("mcp", "--url", server.url)
        assert (refused.returncode, "refuses what was brought" in refused.stderr) == (1, True)
        assert "▸ hi" in guarded.run("chat", "--url", server.url, said="SAY hi\n").stdout


class Terminal:
    """`eunoe chat` on a terminal of its own."""

    def __init__(self, shell: Shell, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        # A process that runs in the background ignores SIGINT, and its children would too.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.process = subprocess.Popen(
            [*COMMAND, "chat", *arguments],
            cwd=shell.folder,
            env={**shell.environment, "TERM": "xterm", "COLUMNS": "200"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        signal.signal(signal.SIGINT, before)
        os.close(theirs)
        self.text = ""
        self._seen = 0

    def see(self, text: str) -> None:
        """Read on until `text` comes after what was seen before."""
        until = time.monotonic() + PATIENCE_S
        while text not in self.text[self._seen :]:
            ready, _, _ = select.select([self._ours], [], [], max(0, until - time.monotonic()))
            assert ready, self.text
            self.text += self._read()
        self._seen = self.text.index(text, self._seen) + len(text)

    def _read(self) -> str:
        try:
            return os.read(self._ours, 4096).decode(errors="replace")
        except OSError:
            # How a terminal says that nobody is left on its other side.
            pytest.fail(f"chat ended: {self.text}")

    def type(self, text: str) -> None:
        os.write(self._ours, text.encode())

    def interrupt(self) -> None:
        """Press Ctrl-C until something comes: Python hears it late just before it reads a line."""
        for _ in range(PATIENCE_S):
            self.process.send_signal(signal.SIGINT)
            if select.select([self._ours], [], [], 1.0)[0]:
                return
        pytest.fail(f"Ctrl-C is not heard: {self.text}")

    def close(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_S)
        os.close(self._ours)


def test_ctrl_c_stops_the_answer_and_not_the_conversation(with_model: Shell) -> None:
    with with_model.serving("--port", "0") as server:
        terminal = Terminal(with_model, "--url", server.url)
        try:
            terminal.see("you ▸ ")
            terminal.type("SLOW 300 hello\n")
            terminal.see("Here")
            terminal.process.send_signal(signal.SIGINT)
            terminal.see("stopped")
            terminal.see("you ▸ ")
            terminal.type("SAY still here\n")
            terminal.see("\x1b[0mstill here")
            terminal.see("you ▸ ")
            terminal.type("\x04")
            assert terminal.process.wait(PATIENCE_S) == 0
        finally:
            terminal.close()


@pytest.mark.rule("G-1", "G-4")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_an_answer_goes_on_when_the_server_is_killed_and_started_again(
    with_model: Shell, how: signal.Signals
) -> None:
    hasty = with_model.with_variables({"EUNOE_SHUTDOWN_GRACE_S": "1"})
    with hasty.serving("--port", "0") as server:
        port = server.url.rsplit(":", 1)[1]
        terminal = Terminal(with_model, "--url", server.url)
        try:
            terminal.see("you ▸ ")
            terminal.type("SLOW 200 hello\n")
            terminal.see("Here")
            server.stop(how)
            terminal.see("Waiting for it")
            with with_model.serving("--port", port):
                terminal.see("whatever was said before it.")
                terminal.see("1 step")
                terminal.see("you ▸ ")
        finally:
            terminal.close()


@pytest.mark.rule("H34")
def test_who_comes_back_is_asked_what_the_agent_waits_for(
    with_model: Shell, connect: Connect
) -> None:
    call = 'CALL memory_insert {"label": "human", "new_string": "Ada"}\n'
    with with_model.serving("--port", "0") as server:
        agent = connect(server.url).create_agent(
            name="Zoë 名前", model=MODEL, blocks={"human": "?"}
        )
        path = f"/v1/agents/{agent.id}/tools/approval/memory_insert"
        httpx.patch(f"{server.url}{path}", json={"requires_approval": True}).raise_for_status()
        left = Terminal(with_model, agent.name, "--url", server.url)
        try:
            left.see("you ▸ ")
            left.type(call)
            left.see("[y/N] ")
        finally:
            left.close()
    with with_model.serving("--port", "0") as server:
        back = Terminal(with_model, agent.name, "--url", server.url)
        try:
            back.see("may it run memory_insert")
            back.see("[y/N] ")
            back.type("yes\n")
            back.see("+ Ada")
            back.see("you ▸ ")
            back.type(call)
            back.see("[y/N] ")
            back.interrupt()
            back.see("\r\n")
            back.see("stopped")
        finally:
            back.close()
        piped = with_model.run("chat", agent.name, "--url", server.url, said=call)
        assert "[y/N] \n    ✗ [ApprovalDenied]" in piped.stdout
