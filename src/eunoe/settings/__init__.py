"""What an operator can set, read from the environment (and a file `.env`) into one frozen value.

A misspelt `EUNOE_…` variable stops the server instead of being ignored: a limit or
a password that silently does not apply is worse than no start.
"""

import ast
import difflib
import inspect
import ipaddress
import os
from base64 import b64decode
from collections.abc import Mapping, Sized
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias, cast
from urllib.parse import unquote, urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic import model_validator as _model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from eunoe import errors
from eunoe.settings.variables import ALIASES, PREFIX, PROVIDER_VARIABLES

DATABASE_FILE: Final = "eunoe.db"
MEBIBYTE: Final = 1024 * 1024
_SECRET: Final = {"KEY", "TOKEN"}


def _split(value: object) -> object:
    """Read `a, b` as two items; anything but text passes unchanged."""
    if isinstance(value, str):
        return tuple(part for part in (piece.strip() for piece in value.split(",")) if part)
    return value


def _supported_url(url: str) -> str:
    if urlsplit(url).scheme.partition("+")[0] not in {"sqlite", "postgres", "postgresql"}:
        raise ValueError("starts with sqlite:///, for a file, or postgresql://, for a server")
    return url


def _signing(secret: SecretStr) -> SecretStr:
    try:
        b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError("is base64, with or without whsec_ before it") from None
    return secret


Names: TypeAlias = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Port: TypeAlias = Annotated[int, Field(ge=0, le=65535)]
Count: TypeAlias = Annotated[int, Field(ge=1)]
Seconds: TypeAlias = Annotated[float, Field(gt=0)]


class Settings(BaseSettings):
    """Everything an operator can set. Build it with `load`, or in a test by naming fields."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on. Any but a loopback address needs a password or keys"""
    port: Port = 8283
    """Port to listen on; 0 takes a free one"""
    workers: Count = 1
    """Server processes; more than one needs PostgreSQL"""
    password: SecretStr | None = None
    """Password that every request must bring, as `Authorization: Bearer …`"""
    require_key: bool = False
    """Whether every request must bring a key of `eunoe keys`; the first start makes one"""
    api_key: SecretStr | None = None
    """Key that the commands of this program bring to the server"""
    rate_per_minute: Count | None = None
    """Requests that each key may send in a minute, counted in each process"""
    rate_burst: Count | None = None
    """Requests of these that may come at once; as many as in a minute when not set"""
    cors_origins: Names = ()
    """Origins, separated by commas, whose pages may call the API from a browser"""
    max_body_bytes: Count = 64 * MEBIBYTE
    """Largest request body that is read, in bytes"""
    body_timeout_s: Seconds = 120
    """How long a request body may take to arrive, in seconds"""

    data_dir: Annotated[Path, AfterValidator(Path.expanduser)] = Field(
        default=Path("~/.eunoe"), validate_default=True
    )
    """Folder of the database file, the local models and what the tool sandbox keeps"""
    models_dir: Path | None = None
    """Folder of the local models; `models` in the data folder when not set"""
    database_url: Annotated[str, AfterValidator(_supported_url)] = Field(default="", repr=False)
    """`sqlite:///…` or `postgresql://…`; a file in the data folder when not set"""
    encryption_key: SecretStr | None = None
    """Keys that seal stored secrets, the newest first; kept in the data folder when not set"""
    event_retention_hours: Seconds = 24
    """Hours after the end of a run during which its stream can be read again"""
    audit_retention_days: Seconds = 365
    """Days for which is kept who administered what"""

    default_model: str | None = None
    """Handle of the model for agents that name none"""
    default_embedding: str | None = None
    """Handle of the embedding model for agents that name none"""
    local_model: Literal["auto", "on", "off"] = "auto"
    """Whether to run a small model here: `auto` does when no provider is configured"""
    model_timeout_s: Seconds = 600
    """Longest silence of a model provider, in seconds"""
    prices: Path | None = None
    """File, TOML or JSON, of what models cost; those it does not name cost what is published"""
    keepalive_s: Seconds = 20
    """Silence on a stream after which it is kept alive by a ping, in seconds"""
    shutdown_grace_s: Seconds = 10
    """How long a stopping process lets open requests and runs end, in seconds"""

    sandbox: Literal["local", "e2b", "modal"] = "local"
    """Where custom tools run: on this machine, or at E2B or Modal with the extra of that name"""
    tool_timeout_s: Seconds = 180
    """How long one call of a custom tool may take, in seconds"""
    tool_memory_bytes: Count = 512 * MEBIBYTE
    """How much memory the processes of one call may hold together, in bytes"""
    tool_network: Literal["off", "asked", "on"] = "asked"
    """Which custom tools get a network: none, all, or those whose metadata has `"network": true`"""
    tool_private_network: bool = False
    """Whether tools with a network may reach addresses that are not public, as this machine's"""
    tools_unsandboxed: bool = False
    """Whether custom code may run with all rights of this server where no sandbox can be made"""

    mcp_stdio: bool = False
    """Whether MCP servers may be commands; they run on this machine, with this server's rights"""
    mcp_private_hosts: bool | None = None
    """Whether MCP servers may be at private addresses; only of a server on loopback when not set"""
    byok_private_hosts: bool | None = None
    """Whether providers that callers bring may be; only of a server on loopback when not set"""

    when_busy: Literal["reject", "queue", "interrupt"] = "reject"
    """What becomes of messages to agents at work: refused, in line, or in the work's place"""
    batch_concurrency: Count = 8
    """Requests of batches that are answered at a time, by all processes together"""
    callback_private_hosts: bool = False
    """Whether callbacks may go to private and loopback addresses"""
    callback_secret: Annotated[SecretStr, AfterValidator(_signing)] | None = None
    """Secret that callbacks are signed with, in base64, as Standard Webhooks has it"""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severe log record that is written"""
    log_format: Literal["auto", "console", "json"] = "auto"
    """`auto` writes text on a terminal and JSON elsewhere"""
    log_content: bool = False
    """Whether logs and traces may hold the text of messages"""
    provider_traces: bool = False
    """Whether what models are asked and answer is kept for a while, as the traces of steps"""
    otlp_endpoint: str | None = None
    """OpenTelemetry collector (OTLP over HTTP) for traces and metrics; needs the extra `otel`"""
    metrics: bool = False
    """Whether `GET /metrics` shows the metrics to Prometheus; needs the extra `otel`"""
    environment: str | None = None
    """Name of this deployment in traces and error reports"""
    sentry_dsn: SecretStr | None = None
    """Where to report unexpected errors; needs the package `sentry-sdk`"""

    provider_values: Mapping[str, str] = Field(default={}, repr=False, exclude=True)
    """The variables of providers that are set. No variable of its own"""

    @property
    def url(self) -> str:
        """Where a client on this machine reaches the server."""
        everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared, not bound
        host = everywhere.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether only programs on this machine can reach the server."""
        try:
            return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def local_models(self) -> Path:
        """The folder of the weights that run here."""
        return (self.models_dir or self.data_dir / "models").expanduser()

    @property
    def encryption_keys(self) -> tuple[str, ...]:
        """The keys that seal secrets, the newest first; none where a file has them."""
        given = self.encryption_key
        pieces = () if given is None else given.get_secret_value().split(",")
        return tuple(key for piece in pieces if (key := piece.strip()))

    def runs_local(self, providers: Sized) -> bool:
        """Whether models run on this machine, beside these providers."""
        return self.local_model == "on" or (self.local_model == "auto" and not providers)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be written anywhere."""
        hidden = [self.password, self.api_key, self.sentry_dsn, self.callback_secret]
        keys = [
            value for name, value in self.provider_values.items() if set(name.split("_")) & _SECRET
        ]
        inside = urlsplit(self.database_url).password
        return (
            *(secret.get_secret_value() for secret in hidden if secret is not None),
            *keys,
            *self.encryption_keys,
            *([inside, unquote(inside)] if inside else []),
        )

    @property
    def credential(self) -> str | None:
        """What a command brings to the server, null where nothing is set."""
        given = self.api_key or self.password
        return None if given is None else given.get_secret_value()

    @property
    def is_sqlite(self) -> bool:
        return self.database_url.startswith("sqlite:")

    @property
    def database_label(self) -> str:
        """Return the database as it may be shown: a path, or a URL without its user or password."""
        parts = urlsplit(self.database_url)
        if self.is_sqlite:
            return self.database_url.removeprefix("sqlite:///")
        return f"postgresql://{parts.hostname or ''}{parts.path}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read no environment behind the caller's back; `load` does, and says which."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    @_model_validator(mode="before")
    @classmethod
    def _database_in_data_dir(cls, values: object) -> object:
        given = cast("dict[str, object]", values)
        if given.get("database_url"):
            return given
        folder = Path(str(given.get("data_dir") or "~/.eunoe")).expanduser().absolute()
        return {**given, "database_url": f"sqlite:///{folder / DATABASE_FILE}"}

    @_model_validator(mode="after")
    def _safe_together(self) -> "Settings":
        if not (self.password or self.require_key or self.is_local):
            text = (
                "would offer this server to the network at {host} without a password; set "
                "EUNOE_PASSWORD or EUNOE_REQUIRE_KEY=true too, or listen on 127.0.0.1"
            )
            raise PydanticCustomError("host", text, {"host": self.host})
        if self.workers > 1 and self.is_sqlite:
            text = (
                "cannot be {workers} on SQLite, which one process writes; "
                "set EUNOE_DATABASE_URL=postgresql://… or leave one worker"
            )
            raise PydanticCustomError("workers", text, {"workers": self.workers})
        return self


def load(environ: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Return the settings of `environ`, by default the process's environment over `./.env`.

    Overrides of None count as not given, so that a command passes its options as they
    are. Raises `errors.SettingUnknown` or `errors.SettingInvalid`, never quoting a value.
    """
    variables = _environment() if environ is None else dict(environ)
    for alias, name in ALIASES.items():
        if variables.get(alias) and not variables.get(name):
            variables[name] = variables[alias]
    _refuse_unknown(variables)
    values = {
        **_Variables(variables)(),
        "provider_values": {
            name: variables[name] for name in PROVIDER_VARIABLES if variables.get(name)
        },
        **{name: value for name, value in overrides.items() if value is not None},
    }
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise errors.SettingInvalid(_sentence(error)) from None


def variable_names() -> tuple[str, ...]:
    """Return the `EUNOE_…` variables that exist, in the order of the fields."""
    return tuple(
        PREFIX + name.upper() for name in Settings.model_fields if name != "provider_values"
    )


def reference() -> list[tuple[str, str, str]]:
    """Return (variable, default, meaning) of every setting, for the reference page.

    The meaning is what the source says below the field, which a start has no need to read.
    """
    rows: list[tuple[str, str, str]] = []
    (described,) = ast.parse(inspect.getsource(Settings)).body
    for field, below in pairwise(cast("ast.ClassDef", described).body):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(ast.Constant(str(meaning))):
                default = cast("object", Settings.model_fields[name].default)
                rows.append((PREFIX + name.upper(), _shown(default), inspect.cleandoc(meaning)))
            case _:
                pass
    return [row for row in rows if row[0] in _KNOWN]


class _Variables(EnvSettingsSource):
    """pydantic-settings' reading of variables, of a given mapping in the environment's place."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {
            name.lower(): value for name, value in variables.items() if value and name in _KNOWN
        }
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return self._variables


_KNOWN: Final = frozenset(variable_names())


def _environment() -> dict[str, str]:
    file = {name: value for name, value in dotenv_values(".env").items() if value is not None}
    return {**file, **os.environ}


def _refuse_unknown(variables: Mapping[str, str]) -> None:
    for name in sorted(variables):
        if name.startswith(PREFIX) and name not in _KNOWN:
            close = difflib.get_close_matches(name, _KNOWN, n=1)
            hint = f"did you mean {close[0]}?" if close else "docs/reference/settings.md lists them"
            raise errors.SettingUnknown(f"{name} is not a setting; {hint}", name=name)


def _sentence(error: ValidationError) -> str:
    """Say what is wrong with which variable, and not with which value: it may be a secret."""
    lines: list[str] = []
    for problem in error.errors(include_input=False, include_url=False):
        # A rule about several settings has no place; its type names the one to change.
        field = str(problem["loc"][0]) if problem["loc"] else problem["type"]
        lines.append(f"{PREFIX}{field.upper()}: {problem['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)


def _shown(default: object) -> str:
    if default in (None, "", ()):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
