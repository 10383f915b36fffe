"""What `deploy/` says is so: its files can be read, and name addresses that exist."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

import pytest
import yaml

from eunoe.cli.main import app
from eunoe.http.routes import health
from eunoe.settings import Settings, load
from tests.house.tree import ROOT

_DEPLOY: Final = ROOT / "deploy"


def _documents(path: str) -> list[Any]:
    return list(yaml.safe_load_all((_DEPLOY / path).read_text(encoding="utf-8")))


def _pods() -> Iterator[dict[str, Any]]:
    for path in ("kubernetes/server.yaml", "kubernetes/worker.yaml"):
        yield from (one for one in _documents(path) if one["kind"] == "Deployment")


def _image() -> dict[str, str]:
    """Return the variables that the image sets."""
    text = (_DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"\b(EUNOE_\w+)=(\S+)", text))


def _loaded(variables: dict[str, str]) -> Settings:
    return load({**_image(), **{name: value for name, value in variables.items() if value}})


def test_the_composed_servers_are_alike_and_both_are_asked() -> None:
    (composed,) = _documents("compose.yaml")
    services = composed["services"]
    servers = [services["eunoe-1"], services["eunoe-2"]]
    assert servers[0] == servers[1]
    proxy = (_DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert all(f"{name}:8283" in proxy for name in ("eunoe-1", "eunoe-2"))
    given = {
        name: re.sub(r"\$\{\w+:[-?][^}]*\}", "secret", value)
        for name, value in servers[0]["environment"].items()
    }
    key = {"EUNOE_ENCRYPTION_KEY": "", "EUNOE_DATABASE_URL": given["EUNOE_DATABASE_URL"]}
    settings = _loaded({**given, **key})
    assert not settings.is_sqlite
    assert int(servers[0]["stop_grace_period"].rstrip("s")) > settings.shutdown_grace_s + 2
    assert services["worker"]["command"] == ["worker"]
    (beside,) = servers[0]["env_file"]
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert f"/deploy/{beside['path']}" in ignored, "it holds what is secret"
    assert beside["required"] is False


@pytest.mark.parametrize("pod", list(_pods()), ids=lambda pod: pod["metadata"]["name"])
def test_a_pod_has_time_to_hand_over_and_few_rights(pod: dict[str, Any]) -> None:
    spec = pod["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    values = {one["name"]: one.get("value", "") for one in container["env"]}
    password = {"EUNOE_PASSWORD": "secret", "EUNOE_DATABASE_URL": "postgresql://db/eunoe"}
    grace_s = _loaded({**values, **password}).shutdown_grace_s
    pause = container.get("lifecycle", {}).get("preStop", {"exec": {"command": ["sleep", "0"]}})
    pause_s = int(pause["exec"]["command"][1])
    assert spec["terminationGracePeriodSeconds"] > pause_s + grace_s + 2
    assert spec["enableServiceLinks"] is False, "the service's name is that of our settings"
    assert spec["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    labels = pod["spec"]["template"]["metadata"]["labels"]
    assert pod["spec"]["selector"]["matchLabels"] == labels


def test_probes_and_budgets_are_those_of_the_server() -> None:
    deployment, service, budget = _documents("kubernetes/server.yaml")
    labels = deployment["spec"]["selector"]["matchLabels"]
    assert service["spec"]["selector"] == budget["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["minAvailable"] < deployment["spec"]["replicas"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    served = {cast("Any", route).path for route in health.router.routes}
    probes = {
        name: container[name]["httpGet"]["path"]
        for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert set(probes.values()) <= served
    (port,) = container["ports"]
    assert port["containerPort"] == Settings.model_fields["port"].default
    named = {container[name]["httpGet"]["port"] for name in probes}
    assert named == {port["name"]} == {one["targetPort"] for one in service["spec"]["ports"]}
    assert probes["livenessProbe"] != probes["readinessProbe"]


def test_everything_asks_where_the_server_answers() -> None:
    served = {cast("Any", route).path for route in health.router.routes}
    port = str(Settings.model_fields["port"].default)
    image = (_DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (asked,) = re.findall(r"http://127\.0\.0\.1:\$\{EUNOE_PORT:-(\d+)\}(/[\w/]+)", image)
    proxy = (_DEPLOY / "Caddyfile").read_text(encoding="utf-8")
    assert asked[0] == port == re.findall(r"^EXPOSE (\d+)$", image, re.MULTILINE)[0]
    assert {asked[1], *re.findall(r"health_uri (\S+)", proxy)} <= served
    assert re.findall(r":(\d+)", proxy) == [port] * 3
    (composed,) = _documents("compose.yaml")
    assert composed["services"]["proxy"]["ports"] == [f"{port}:{port}"]


@pytest.mark.parametrize("pod", list(_pods()), ids=lambda pod: pod["metadata"]["name"])
def test_a_pod_runs_what_there_is_with_the_secrets_it_is_told_to_make(pod: dict[str, Any]) -> None:
    (container,) = pod["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"eunoe:{version('eunoe')}"
    (command,) = container["args"]
    assert command in {
        one.name or getattr(one.callback, "__name__", "") for one in app.registered_commands
    }
    told = (ROOT / "docs/howto/deploy.md").read_text(encoding="utf-8")
    assert f"-t {container['image']} " in told
    kept = [one["valueFrom"]["secretKeyRef"] for one in container["env"] if "valueFrom" in one]
    assert {one["key"] for one in kept} == set(re.findall(r"--from-literal=([\w-]+)=", told))
    assert {one["name"] for one in kept} == set(re.findall(r"secret generic (\w+)", told))
    data = container["volumeMounts"][0]["mountPath"]
    assert data == _image()["EUNOE_DATA_DIR"]


def test_the_image_is_as_locked_and_not_root() -> None:
    text = (_DEPLOY / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    installs = [line for line in re.split(r"\n|&&", text) if "pip install" in line]
    assert len(installs) > 2
    assert all("--require-hashes" in one or "--no-deps" in one for one in installs)
    assert re.search(r"^USER [1-9]", text, re.MULTILINE)
    sent = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for copied in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE):
        for source in copied.split():
            assert (ROOT / source).exists()
            assert f"!{source}" in sent


def test_a_python_without_venv_is_told_what_to_install(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "locks").mkdir()
    for needed in ("pyproject.toml", "locks/uv.txt", "locks/dev.txt"):
        (tmp_path / needed).touch()
    python = tmp_path / "python"
    refused = "*ensurepip*) echo Traceback >&2; exit 1"
    python.write_text(f'#!/bin/sh\ncase "$2" in {refused};; esac\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    command = ("make", "run", f"PYTHON={python}")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "python3-venv" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode
    assert not (tmp_path / ".venv").exists()
