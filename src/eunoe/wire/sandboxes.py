"""Configurations of the sandbox on the wire (api 23)."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field
from typing_extensions import TypedDict

from eunoe.domain import sandboxes
from eunoe.domain.messages import Json
from eunoe.domain.sandboxes import SandboxType
from eunoe.wire.shape import Strict, shown_as

Name: TypeAlias = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]


class SandboxConfig(TypedDict):
    id: str
    type: SandboxType
    config: Json
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str


class SandboxEnvironmentVariable(TypedDict):
    id: str
    key: str
    value: str
    description: str | None
    sandbox_config_id: str
    created_by_id: str | None
    last_updated_by_id: str | None
    created_at: str
    updated_at: str


def config(one: sandboxes.SandboxConfig) -> SandboxConfig:
    return shown_as(SandboxConfig, one)


def variable(one: sandboxes.SandboxVariable) -> SandboxEnvironmentVariable:
    """Return a variable, its value in clear (23.3)."""
    return shown_as(SandboxEnvironmentVariable, one)


class PipRequirement(Strict):
    name: str = Field(min_length=1)
    version: str | None = None


class LocalSandboxConfig(Strict):
    """`pip_requirements` are for all tools. The others are kept and have no effect here."""

    sandbox_dir: str | None = None
    use_venv: bool = False
    venv_name: str = "venv"
    pip_requirements: list[PipRequirement] = Field(default_factory=list[PipRequirement])


class E2bSandboxConfig(Strict):
    """For tools that run at E2B."""

    timeout: int = 300
    template: str | None = None
    pip_requirements: list[str] | None = None


class ModalSandboxConfig(Strict):
    """For tools that run at Modal. The language of a tool is its own: that here has no effect."""

    timeout: int = 60
    pip_requirements: list[str] | None = None
    npm_requirements: list[str] | None = None
    language: Literal["python", "typescript"] = "python"


Config: TypeAlias = LocalSandboxConfig | E2bSandboxConfig | ModalSandboxConfig


def type_of(given: Config) -> SandboxType:
    match given:
        case LocalSandboxConfig():
            return "local"
        case E2bSandboxConfig():
            return "e2b"
        case ModalSandboxConfig():
            return "modal"


class SandboxConfigBody(Strict):
    config: Config


class UpdateSandboxConfigBody(Strict):
    config: Config | None = None

    def changes(self) -> tuple[SandboxType | None, Json]:
        """Return what is given; of no type where nothing is."""
        if self.config is None:
            return None, {}
        given = self.config.model_fields_set
        return type_of(self.config), self.config.model_dump(include=given)


class VariableBody(Strict):
    key: Name
    value: str
    description: str | None = None


class UpdateVariableBody(Strict):
    """Null for the name or the value says nothing."""

    key: Name | None = None
    value: str | None = None
    description: str | None = None

    def changes(self) -> Json:
        given = self.model_dump(exclude_unset=True)
        return {
            name: value
            for name, value in given.items()
            if value is not None or name == "description"
        }
