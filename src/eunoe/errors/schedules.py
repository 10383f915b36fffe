"""Messages that are to be sent later."""

from eunoe.errors.kinds import Conflict, Invalid


class CronInvalid(Invalid):
    """The cron expression cannot be read; write five fields, such as `0 9 * * 1-5`."""

    code = "cron_invalid"


class TimeZoneUnknown(Invalid):
    """There is no such time zone; name one of IANA's, such as Europe/Rome."""

    code = "time_zone_unknown"


class TimePassed(Invalid):
    """The time of the schedule has passed; name one that is to come, in milliseconds since 1970."""

    code = "time_passed"


class TooManySchedules(Conflict):
    """The agent has as many schedules as it may have; delete some first."""

    code = "too_many_schedules"
