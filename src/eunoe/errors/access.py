"""Keys to the server, and tokens that let a client reach some agents and nothing else."""

from typing import ClassVar

from eunoe.errors.kinds import Denied, EunoeError


class TokenScopeExceeded(Denied):
    """The access token does not allow this; ask whoever made it for one that does."""

    code = "token_scope_exceeded"


class KeyScopeExceeded(Denied):
    """The key does not allow this; ask whoever administers the server for one that does."""

    code = "key_scope_exceeded"


class PageRefused(Denied):
    """A page of another site may not use a server without keys; name it in EUNOE_CORS_ORIGINS."""

    code = "page_refused"


class RequestsTooMany(EunoeError):
    """The key asks too often; wait as long as the answer says, and ask again."""

    code = "requests_too_many"
    heals: ClassVar[bool] = True

    def __init__(self, *, retry_after_s: float) -> None:
        super().__init__()
        self.retry_after_s = retry_after_s
