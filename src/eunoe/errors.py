"""Every failure a caller can act on: one class per cause, six kinds, a stable `code` each.

A kind says what happened to the request and so decides its HTTP status; the
class says why. The message is for people and may change; `code` may not.
"""

from typing import ClassVar, Literal, TypeAlias

Kind: TypeAlias = Literal["invalid", "denied", "missing", "conflict", "upstream", "unavailable"]


class EunoeError(Exception):
    """The server could not do this; the log of the server says why."""

    kind: ClassVar[Kind] = "unavailable"
    code: ClassVar[str] = "internal_error"
    heals: ClassVar[bool] = False
    """Whether the same request may succeed by waiting, so that a client should retry."""

    def __init__(self, message: str | None = None, **detail: object) -> None:
        super().__init__(message or (type(self).__doc__ or self.code).strip())
        self.detail = detail


class Invalid(EunoeError):
    """The request is not valid; correct it and send it again."""

    kind = "invalid"
    code = "invalid_argument"


class Denied(EunoeError):
    """The request is not allowed with these credentials."""

    kind = "denied"
    code = "permission_denied"


class Missing(EunoeError):
    """There is no such thing; check the id."""

    kind = "missing"
    code = "not_found"


class Conflict(EunoeError):
    """The request conflicts with the present state."""

    kind = "conflict"
    code = "conflict"


class Unavailable(EunoeError):
    """The server cannot take this now; try again later."""

    kind = "unavailable"
    code = "unavailable"
    heals = True


# Settings and the database


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


# Memory blocks


class BlockMissing(Missing):
    """The agent has no block with this label."""

    code = "block_missing"


class BlockReadOnly(Invalid):
    """The block is read-only, so tools cannot change it."""

    code = "block_read_only"


class BlockFull(Invalid):
    """The block would outgrow its limit; shorten the text or raise the limit."""

    code = "block_full"


class BlockExists(Conflict):
    """The agent already has a block with this label; use another label or edit that block."""

    code = "block_exists"


class BlockChanged(Conflict):
    """The block was changed by somebody else at the same time; read it and try again."""

    code = "block_changed"
    heals = True


class EditNotFound(Invalid):
    """The text to replace does not occur in the block."""

    code = "edit_not_found"


class EditAmbiguous(Invalid):
    """The text to replace occurs more than once; quote more of its surroundings."""

    code = "edit_ambiguous"


class EditInvalid(Invalid):
    """The edit is not valid."""

    code = "edit_invalid"


# Tools


class ToolMissing(Missing):
    """No tool with this name is attached."""

    code = "tool_missing"


class ToolNameTaken(Invalid):
    """Another tool has this name; choose another name or change that tool."""

    code = "tool_name_taken"


class ApprovalNotServed(Invalid):
    """Nobody can be asked for approval on this server yet; leave the tool or its rule out."""

    code = "approval_not_served"


class ToolArgumentsInvalid(Invalid):
    """The arguments of the tool call are not valid."""

    code = "tool_arguments_invalid"


# Runs and message lists


class ListBusy(Conflict):
    """Another run is working on this message list; wait until it ends or cancel it."""

    code = "list_busy"

    def __init__(self, *, run_id: str | None) -> None:
        super().__init__(run_id=run_id)
        self.run_id = run_id


class OtidReused(Conflict):
    """The otid was already used in another request; send a new one with new content."""

    code = "otid_reused"


class NothingToCancel(Conflict):
    """No run is active here, so there is nothing to cancel."""

    code = "no_active_runs_to_cancel"


class FenceLost(Conflict):
    """The run is no longer owned by this process; another one has taken it over."""

    code = "fence_lost"


class RunExpired(Missing):
    """The events of this run are no longer kept; read its messages instead."""

    code = "run_expired"


class RunAbandoned(EunoeError):
    """The server stopped again and again while this run went on; send the message once more."""

    code = "server_restart"


class ArchiveAttached(Conflict):
    """The agent has an archive already, and it can have one; detach that first."""

    code = "archive_attached"


class EmbedderMissing(Invalid):
    """No embedding model is configured for this."""

    code = "embedder_missing"


# Model providers


class ModelError(EunoeError):
    """The model provider failed."""

    kind = "upstream"
    code = "llm_error"
    status: ClassVar[int] = 500
    """HTTP status of a blocking reply (streaming 9.3)."""

    def __init__(
        self, message: str | None = None, *, retry_after_s: float | None = None, **detail: object
    ) -> None:
        super().__init__(message, **detail)
        self.retry_after_s = retry_after_s


class ModelUnknown(Missing):
    """No provider serves this model handle; GET /v1/models/ lists the handles that exist."""

    code = "model_unknown"


class EmbeddingUnknown(Invalid):
    """No provider serves this embedding handle; GET /v1/models/embedding lists those that exist."""

    code = "embedding_unknown"


class LocalExtraMissing(ModelError):
    """Local models need more packages; install them with pip install 'eunoe[local]'."""

    code = "local_extra_missing"
    status = 503


class WeightsUnreachable(Unavailable):
    """None of the places that hold these weights could be reached; check the network."""

    code = "weights_unreachable"


class WeightsRefused(Unavailable):
    """What was fetched is not the expected file, so it was deleted; fetch it again."""

    code = "weights_refused"
    heals = False


class ModelTimedOut(ModelError):
    """The model provider did not answer in time."""

    code = "llm_timeout"
    status = 504


class ModelRateLimited(ModelError):
    """The model provider refused the request because of its rate limit; try again later."""

    code = "llm_rate_limit"
    status = 429
    heals = True


class ModelKeyRefused(ModelError):
    """The model provider refused the key; check the provider's API key."""

    code = "llm_authentication"
    status = 401


class ModelCreditExhausted(ModelError):
    """The account at the model provider has no credit left."""

    code = "llm_insufficient_credits"
    status = 402


class ModelRequestRefused(ModelError):
    """The model provider refused the request as malformed."""

    code = "llm_bad_request"
    status = 400


class ModelOverloaded(ModelError):
    """The model provider is overloaded; try again later."""

    code = "llm_overloaded"
    status = 503
    heals = True


class ModelUnreachable(ModelError):
    """The model provider cannot be reached, or the connection broke."""

    code = "llm_connection"


class ModelReplyCut(ModelError):
    """The model's reply ended without a proper end, so it is not used."""

    code = "llm_reply_cut"


class ModelReplyEmpty(ModelError):
    """The model answered with neither text nor a tool call."""

    code = "llm_empty_response"


class ModelReplyInvalid(ModelError):
    """The model provider sent something that is not a valid reply."""

    code = "llm_invalid_response"


class ContextOverflow(ModelError):
    """The conversation does not fit into the model's context window."""

    code = "context_window_exceeded"
    status = 400


class SystemPromptTooLarge(ModelError):
    """The system prompt alone does not fit into the context window; shorten memory or raise it."""

    code = "context_window_overflow_in_system_prompt"
    status = 400
