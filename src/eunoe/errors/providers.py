"""Providers that callers brought."""

from eunoe.errors.kinds import Conflict, Invalid


class ProviderExists(Conflict):
    """There is a provider of this name already; change that one, or take another name."""

    code = "provider_exists"


class ProviderInvalid(Invalid):
    """The provider cannot be asked like this; correct its key, address or region."""

    code = "provider_invalid"
