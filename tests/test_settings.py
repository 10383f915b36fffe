"""Settings: what the environment says, and what it may not say."""

import re
from pathlib import Path

import pytest

from eunoe import errors, settings
from eunoe.llm import providers
from eunoe.tools import web_search
from tests.house.tree import ROOT, SERVER


def test_without_variables_it_is_a_private_server_on_one_file() -> None:
    plain = settings.load({})
    assert (plain.host, plain.port, plain.url) == ("127.0.0.1", 8283, "http://127.0.0.1:8283")
    home = Path("~/.eunoe").expanduser()
    assert plain.data_dir == home
    assert plain.database_url == f"sqlite:///{home}/eunoe.db"
    assert plain.password is None
    assert plain.provider_values == {}


def test_variables_are_read_by_type(tmp_path: Path) -> None:
    read = settings.load(
        {
            "EUNOE_PORT": "9000",
            "EUNOE_DATA_DIR": str(tmp_path),
            "EUNOE_CORS_ORIGINS": "https://a.example, https://b.example,",
            "EUNOE_LOG_CONTENT": "true",
            "EUNOE_EVENT_RETENTION_HOURS": "0.5",
            "EUNOE_DEFAULT_MODEL": "",
            "HOME": "/somewhere",
            "eunoe_port": "1",
        }
    )
    assert (read.port, read.log_content, read.event_retention_hours) == (9000, True, 0.5)
    assert read.cors_origins == ("https://a.example", "https://b.example")
    assert read.database_url == f"sqlite:///{tmp_path}/eunoe.db"
    assert read.default_model is None


def test_an_option_wins_over_a_variable_and_none_is_no_option() -> None:
    read = settings.load({"EUNOE_PORT": "9000", "EUNOE_LOG_LEVEL": "error"}, port=1, log_level=None)
    assert (read.port, read.log_level) == (1, "error")


def test_the_environment_wins_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("EUNOE_PORT=9001\nEUNOE_HOST=::1\nGROQ_API_KEY=from-file\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EUNOE_PORT", "9002")
    read = settings.load()
    assert (read.port, read.host, read.url) == (9002, "::1", "http://[::1]:9002")
    assert read.provider_values["GROQ_API_KEY"] == "from-file"


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("EUNOE_HOTS", "did you mean EUNOE_HOST?"),
        ("EUNOE_DATABASE", "did you mean EUNOE_DATABASE_URL?"),
        ("EUNOE_PROVIDER_VALUES", "did you mean EUNOE_PROVIDER_TRACES?"),
        ("EUNOE_XYZZY", "docs/reference/settings.md"),
    ],
)
def test_an_unknown_variable_stops_the_server(variable: str, hint: str) -> None:
    with pytest.raises(errors.SettingUnknown) as caught:
        settings.load({variable: "1"})
    assert str(caught.value).startswith(f"{variable} is not a setting")
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("EUNOE_PORT", "hunter2", "valid integer"),
        ("EUNOE_PORT", "70000", "less than or equal to 65535"),
        ("EUNOE_DATABASE_URL", "mysql://root:hunter2@db/x", "postgresql://"),
        ("EUNOE_LOG_FORMAT", "hunter2", "'auto', 'console' or 'json'"),
        ("EUNOE_WORKERS", "2", "EUNOE_DATABASE_URL=postgresql://"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable_and_not_quoted(
    variable: str, value: str, sentence: str
) -> None:
    with pytest.raises(errors.SettingInvalid) as caught:
        settings.load({variable: value})
    assert str(caught.value).startswith(f"{variable}: ")
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)


EVERYWHERE = "0.0.0.0"  # noqa: S104 - a value to judge; nothing is bound


@pytest.mark.parametrize("host", [EVERYWHERE, "::", "192.168.1.5", "eunoe.example"])
def test_the_network_needs_a_password(host: str) -> None:
    with pytest.raises(errors.SettingInvalid, match="EUNOE_PASSWORD"):
        settings.load({"EUNOE_HOST": host})
    guarded = settings.load({"EUNOE_HOST": host, "EUNOE_PASSWORD": "correct horse"})
    assert guarded.password is not None


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_this_machine_needs_none(host: str) -> None:
    assert settings.load({"EUNOE_HOST": host}).host == host


def test_a_client_here_reaches_a_server_that_listens_everywhere() -> None:
    everywhere = settings.load({"EUNOE_HOST": EVERYWHERE, "LETTA_SERVER_PASSWORD": "correct horse"})
    assert everywhere.url == "http://127.0.0.1:8283"


@pytest.mark.rule("api-1.11", "S1")
def test_names_that_the_field_knows_are_understood() -> None:
    read = settings.load(
        {
            "LETTA_SERVER_PASSWORD": "correct horse",
            "SENTRY_DSN": "https://k@sentry.example/1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        }
    )
    assert read.password is not None
    assert read.password.get_secret_value() == "correct horse"
    assert read.sentry_dsn is not None
    assert read.otlp_endpoint == "http://collector:4318"
    both = settings.load({"LETTA_SERVER_PASSWORD": "theirs", "EUNOE_PASSWORD": "ours"})
    assert both.password is not None
    assert both.password.get_secret_value() == "ours"


def test_secrets_do_not_show() -> None:
    read = settings.load(
        {
            "OPENAI_API_KEY": "sk-hunter2",
            "MODAL_TOKEN_SECRET": "as-hunter2",
            "EUNOE_PASSWORD": "hunter2",
            "EUNOE_DATABASE_URL": "postgresql://me:hunter2@db.example/eunoe",
            "EUNOE_WORKERS": "4",
        }
    )
    assert set(read.secrets) == {"hunter2", "sk-hunter2", "as-hunter2"}
    assert read.database_label == "postgresql://db.example/eunoe"
    for shown in (repr(read), str(read), str(read.model_dump(exclude={"database_url"}))):
        assert "hunter2" not in shown


@pytest.mark.parametrize(
    ("mode", "alone", "beside"), [("auto", True, False), ("on", True, True), ("off", False, False)]
)
def test_a_local_model_stands_in_for_a_provider(mode: str, alone: bool, beside: bool) -> None:
    read = settings.load({"EUNOE_LOCAL_MODEL": mode, "EUNOE_DATA_DIR": "/data"})
    assert (read.runs_local([]), read.runs_local(["openai"])) == (alone, beside)
    assert read.local_models == Path("/data/models")
    assert settings.load({"EUNOE_MODELS_DIR": "/weights"}).local_models == Path("/weights")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValueError, match="frozen"):
        settings.load({}).port = 1


def test_the_provider_variables_are_those_that_providers_are_made_from() -> None:
    searching = set(web_search.ENGINES)
    elsewhere = {"E2B_API_KEY", "MODAL_TOKEN_ID", "MODAL_TOKEN_SECRET"}
    assert set(settings.PROVIDER_VARIABLES) == {
        *(*providers.variable_names(), *searching, *elsewhere)
    }
    read = settings.load({"OLLAMA_BASE_URL": "http://127.0.0.1:1", "OPENAI_API_KEY": ""})
    assert [config.name for config in providers.providers_from(read.provider_values)] == ["ollama"]


def test_the_reference_page_has_every_variable_and_no_other() -> None:
    page = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    first_cells = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", page, re.MULTILINE))
    ours = set(settings.variable_names())
    assert first_cells == ours | set(settings.ALIASES) | set(settings.PROVIDER_VARIABLES)
    assert all(meaning for _, _, meaning in settings.reference())


def test_every_setting_is_read_by_something() -> None:
    """A setting that nothing reads is a promise that nothing keeps."""
    readers = [
        SERVER / "app.py",
        *(SERVER / "cli").glob("*.py"),
        *(SERVER / "settings").glob("*.py"),
    ]
    code = "\n".join(path.read_text(encoding="utf-8") for path in readers if path.exists())
    unread = {
        name
        for name in settings.Settings.model_fields
        if not re.search(rf"\b(?:settings|self|values)\.{name}\b", code)
    }
    assert unread == set()
