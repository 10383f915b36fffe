"""Where the server goes on a caller's word."""

from eunoe.errors.kinds import Invalid


class AddressRefused(Invalid):
    """The URL is not an http or https one at a public address, so the server does not go there."""

    code = "address_refused"
