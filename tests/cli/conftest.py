"""The command line as its user has it: real processes, a real server, a scripted model."""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from eunoe.cli.client import Client
from tests.fixtures.warm import Warm, run_warm, warm

COMMAND = (sys.executable, "-m", "eunoe")
PATIENCE_S = 60


@dataclass(kw_only=True)
class Server:
    """A running `eunoe server`, and what it has written."""

    process: Warm
    url: str = ""
    out: list[str] = field(default_factory=list[str])
    err: Path

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(PATIENCE_S)


@dataclass(frozen=True, kw_only=True)
class Shell:
    """Runs `eunoe` in a folder of its own, in an environment that holds nothing else of ours."""

    folder: Path
    environment: dict[str, str]

    def run(self, *arguments: str, said: str = "") -> "subprocess.CompletedProcess[str]":
        return run_warm(
            ["eunoe", *arguments],
            env=self.environment,
            cwd=self.folder,
            said=said,
            timeout_s=PATIENCE_S,
        )

    def run_cold(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run it as a shell does, imports included."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )

    def with_variables(self, variables: Mapping[str, str]) -> "Shell":
        return Shell(folder=self.folder, environment={**self.environment, **variables})

    @contextmanager
    def serving(self, *arguments: str) -> Generator[Server]:
        """Run a server for the block; it is up when the block begins."""
        err = self.folder / "server.err"
        with err.open("a") as log:
            process = warm(
                ["eunoe", "server", *arguments],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log.fileno(),
            )
        assert process.stdout is not None
        out, server = process.stdout, Server(process=process, err=err)
        rest = threading.Thread(target=out.read)
        try:
            for line in out:
                server.out.append(line.rstrip())
                if found := re.search(r"listens on (http://\S+)", line):
                    server.url = found[1]
                if line.startswith("Try: "):
                    break
            assert server.url, err.read_text()
            rest.start()
            yield server
        finally:
            server.stop(signal.SIGKILL)
            if rest.is_alive():
                rest.join(PATIENCE_S)
            out.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    kept = ("PATH", "LANG", "LC_ALL", "VIRTUAL_ENV", "SYSTEMROOT")
    plain = {name: os.environ[name] for name in kept if name in os.environ}
    return Shell(
        folder=tmp_path,
        environment={
            **plain,
            "HOME": str(tmp_path),
            "EUNOE_DATA_DIR": str(tmp_path / "data"),
            "EUNOE_LOCAL_MODEL": "off",
            "PYTHONWARNINGS": "error::ResourceWarning",
        },
    )


@contextmanager
def _script(*command: str) -> Generator[str]:
    """Run a process that prints its URL first, and yield that."""
    process = warm(command, env=os.environ, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        if process.stdout is not None:
            process.stdout.close()


@pytest.fixture(scope="session")
def model_url() -> Iterator[str]:
    """The URL of a scripted model server."""
    arguments = ("--port", "0", "--models", "scripted-1")
    with _script("eunoe.testing.model_server", *arguments) as url:
        yield url


@pytest.fixture(scope="session")
def diligent_url() -> Iterator[str]:
    """The URL of a model that writes down whatever it is asked to remember."""
    with _script("tests.cli.diligent_model") as url:
        yield url


@pytest.fixture
def with_model(shell: Shell, model_url: str) -> Shell:
    return shell.with_variables({"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": model_url})


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    clients: list[Client] = []

    def connected(url: str, password: str | None = None) -> Client:
        clients.append(Client(url, password=password))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()
