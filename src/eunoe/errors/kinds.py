"""Every failure a caller can act on: one class per cause, six kinds, a stable `code` each.

A kind says what happened to the request and so decides its HTTP status; the
class says why. The message is for people and may change; `code` may not.
"""

from typing import ClassVar, Literal, TypeAlias

Kind: TypeAlias = Literal["invalid", "denied", "missing", "conflict", "upstream", "unavailable"]


class EunoeError(Exception):
    """The server could not do this; the log of the server says why."""

    kind: ClassVar[Kind] = "unavailable"
    code: ClassVar[str] = "internal_error"
    heals: ClassVar[bool] = False
    """Whether the same request may succeed by waiting, so that a client should retry."""

    def __init__(self, message: str | None = None, **detail: object) -> None:
        super().__init__(message or (type(self).__doc__ or self.code).strip())
        self.detail = detail


class Invalid(EunoeError):
    """The request is not valid; correct it and send it again."""

    kind = "invalid"
    code = "invalid_argument"


class Denied(EunoeError):
    """The request is not allowed with these credentials."""

    kind = "denied"
    code = "permission_denied"


class Missing(EunoeError):
    """There is no such thing; check the id."""

    kind = "missing"
    code = "not_found"


class Conflict(EunoeError):
    """The request conflicts with the present state."""

    kind = "conflict"
    code = "conflict"


class Unavailable(EunoeError):
    """The server cannot take this now; try again later."""

    kind = "unavailable"
    code = "unavailable"
    heals = True
