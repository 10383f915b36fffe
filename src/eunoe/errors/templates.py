"""Templates of agents."""

from eunoe.errors.kinds import Conflict, EunoeError, Invalid, Missing


class TemplateExists(Conflict):
    """There is a template of this name; choose another, or save a new version of that one."""

    code = "template_exists"


class TemplateMissing(Missing):
    """There is no such template; names are matched exactly."""

    code = "template_missing"


class TemplateVersionMissing(Missing):
    """The template has no such version; name a number, or `latest`."""

    code = "template_version_missing"


class TemplateVersionInvalid(Invalid):
    """The working version cannot be gone back to; name a number, or `latest`."""

    code = "template_version_invalid"


class EnvironmentsNotServed(EunoeError):
    """Environments are devices of a hosted service, and this server has none; run tools on it."""

    code = "environments_not_served"
