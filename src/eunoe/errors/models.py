"""Model providers and local weights."""

from typing import ClassVar

from eunoe.errors.kinds import EunoeError, Invalid, Missing, Unavailable


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
    """Local models need more: `python -m pip install 'eunoe[local]'` with the server's Python."""

    code = "local_extra_missing"
    status = 503


class BedrockExtraMissing(ModelError):
    """Bedrock needs more: `python -m pip install 'eunoe[bedrock]'` with the server's Python."""

    code = "bedrock_extra_missing"
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


class BedrockPermissionDenied(ModelError):
    """Amazon Bedrock does not let these credentials use the model; allow it in the AWS account."""

    code = "bedrock_permission_denied"
    status = 403


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


class ModelCalledNothing(ModelError):
    """The model answered without the tool call that an agent of this type must make."""

    code = "no_tool_call"


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


class PreviewUnknown(Invalid):
    """What is sent to this model cannot be shown."""

    code = "preview_unknown"


class CompletionFailed(EunoeError):
    """The model could not answer."""

    code = "completion_failed"
    kind = "upstream"
