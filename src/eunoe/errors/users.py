"""Users and organizations."""

from eunoe.errors.kinds import Invalid


class DefaultStays(Invalid):
    """The default user and organization stand for whoever names none, so they cannot go."""

    code = "default_stays"


class OrganizationOwns(Invalid):
    """The organization still owns users, agents or other things; remove those first."""

    code = "organization_owns"
