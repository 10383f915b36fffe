"""Settings and the database."""

from eunoe.errors.kinds import Conflict, Invalid, Unavailable


class SettingUnknown(Invalid):
    """An environment variable that starts with EUNOE_ is not a setting."""

    code = "setting_unknown"


class SettingInvalid(Invalid):
    """A setting has a value that is not valid; docs/reference/settings.md describes each."""

    code = "setting_invalid"


class DatabaseUrlInvalid(Invalid):
    """The database URL must read sqlite:///path/to/file or postgresql://user@host/database."""

    code = "database_url_invalid"


class DatabaseNewer(Unavailable):
    """The database was written by a newer Eunoe; upgrade this server or use another database."""

    code = "database_newer"
    heals = False


class DatabaseUnreachable(Unavailable):
    """The database cannot be reached; check EUNOE_DATABASE_URL and that it is running."""

    code = "database_unreachable"


class DiskFull(Unavailable):
    """The database has no room left; free disk space, then send the request again."""

    code = "disk_full"


class BackupElsewhere(Invalid):
    """A PostgreSQL database is backed up with its own tools; run pg_dump against it."""

    code = "backup_elsewhere"


class BackupExists(Conflict):
    """There is a file where the backup should go; name another, or remove it."""

    code = "backup_exists"


class WriteConflict(Conflict):
    """Somebody else changed the same thing at the same moment; try again."""

    code = "write_conflict"
    heals = True
