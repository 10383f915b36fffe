"""Where the server goes on a caller's word."""

from eunoe.errors.kinds import Invalid, Unavailable


class AddressRefused(Invalid):
    """The URL is not an http or https one at a public address, so the server does not go there."""

    code = "address_refused"


class AnswerTooLarge(Invalid):
    """What is at the URL is larger than the server reads of one."""

    code = "answer_too_large"


class RedirectedTooOften(Invalid):
    """The URL redirects too often; ask for the address where it ends."""

    code = "redirected_too_often"


class AddressUnreachable(Unavailable):
    """Nothing answers at the URL; check it, or try again later."""

    code = "address_unreachable"
