"""Users and organizations as the wire has them (api 26)."""

from typing import Annotated, TypeAlias

from pydantic import Field, field_validator
from typing_extensions import TypedDict

from eunoe.domain import users
from eunoe.ids import pattern
from eunoe.wire.shape import Strict, shown_as

Name: TypeAlias = Annotated[str, Field(min_length=1, max_length=200)]


class UserCreate(Strict):
    name: Name
    organization_id: str


class UserUpdate(Strict):
    id: Annotated[str, Field(pattern=pattern("user"))]
    name: Name | None = None
    organization_id: None = Field(default=None, description="A user stays where he is.")


class OrganizationBody(Strict):
    """What an organization is to be like; no tool has privileges here."""

    name: Name | None = None
    privileged_tools: bool | None = False

    @field_validator("privileged_tools")
    @classmethod
    def _refuse_privileges(cls, given: bool | None) -> bool | None:
        if given:
            raise ValueError("Tools have no privileges on this server; leave privileged_tools out.")
        return given


class User(TypedDict):
    id: str
    name: str
    organization_id: str
    created_at: str
    updated_at: str | None
    is_deleted: bool


class Organization(TypedDict):
    id: str
    name: str
    created_at: str
    privileged_tools: bool


def user(one: users.User) -> User:
    return shown_as(User, one, updated_at=None, is_deleted=False)


def organization(one: users.Organization) -> Organization:
    return shown_as(Organization, one, privileged_tools=False)
