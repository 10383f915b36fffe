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


class BackupUnreadable(Invalid):
    """The file is no backup of this server's database, or it is damaged."""

    code = "backup_unreadable"


class DatabaseExists(Conflict):
    """There is a database already; a backup takes its place only with --force."""

    code = "database_exists"


class DatabaseInUse(Conflict):
    """A server or another command has the database open; stop it, then try again."""

    code = "database_in_use"


class PostgresqlToolFailed(Unavailable):
    """One of PostgreSQL's own programs is missing, or has failed."""

    code = "postgresql_tool_failed"


class BackupExists(Conflict):
    """There is a file where the backup should go; name another, or remove it."""

    code = "backup_exists"


class WriteConflict(Conflict):
    """Somebody else changed the same thing at the same moment; try again."""

    code = "write_conflict"
    heals = True


class ValueTooLong(Invalid):
    """A name, label, tag or key in it is too long to be found by; send 2,000 bytes at most."""

    code = "value_too_long"
