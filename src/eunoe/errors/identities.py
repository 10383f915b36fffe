"""Identities: whom agents belong to in the caller's own world."""

from eunoe.errors.kinds import Conflict


class IdentityExists(Conflict):
    """An identity of this project has this identifier_key already; use PUT to change that one."""

    code = "identity_exists"
