"""Tokens that let a client reach some agents and nothing else."""

from eunoe.errors.kinds import Denied


class TokenScopeExceeded(Denied):
    """The access token does not allow this; ask whoever made it for one that does."""

    code = "token_scope_exceeded"
