"""Configurations of the sandbox on the wire (api 23)."""

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field, ValidationError
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
_SHAPES: Final[Mapping[type[Config], SandboxType]] = {
    LocalSandboxConfig: "local",
    E2bSandboxConfig: "e2b",
    ModalSandboxConfig: "modal",
}


def type_of(given: Config) -> SandboxType:
    return _SHAPES[type(given)]


def _fits(shape: type[Config], given: Json) -> bool:
    try:
        shape.model_validate(given)
    except ValidationError:
        return False
    return True


class SandboxConfigBody(Strict):
    config: Config


class UpdateSandboxConfigBody(Strict):
    config: Config | None = None

    def changes(self) -> tuple[frozenset[SandboxType], Json]:
        """Return the types that have all the fields given, and these."""
        config = self.config
        given = {} if config is None else config.model_dump(include=config.model_fields_set)
        return frozenset(kind for shape, kind in _SHAPES.items() if _fits(shape, given)), given


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
