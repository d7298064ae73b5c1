"""Every exception longtake raises.

    LongtakeError
    ├── ConfigError(ValueError)             a setting or a name is wrong; the message lists the valid ones
    ├── MissingExtraError(ImportError)      an optional dependency is absent; the message has the pip line
    ├── StoreError(OSError)                 a file of ours could not be written or read back
    ├── VideoError                          the video cannot be used
    │   ├── VideoNotFoundError(FileNotFoundError)
    │   ├── AmbiguousVideoError             a name fits several different videos
    │   ├── VideoDecodeError                not a video, no picture track, or damaged where it was asked for
    │   ├── VideoTimeoutError(TimeoutError) given up at the deadline; says what was decoded until then
    │   └── SpanError(ValueError)           a time span is empty, inverted, not finite or outside the video
    ├── ModelError                          the model gave no output
    │   ├── ModelConnectionError(ConnectionError)   unreachable, cut off, or the server failed
    │   ├── ModelTimeoutError(TimeoutError)         no reply within the time allowed
    │   ├── ModelAuthError(PermissionError)         the key was refused
    │   ├── ModelRateLimitError                     still limited after all retries
    │   ├── ModelRequestError(ValueError)           the server refused the request; sending it again cannot help
    │   │   └── ModelEndpointError                  it refuses every request: wrong address or model, no credit
    │   └── ModelReplyError                         the reply is not what the protocol promises
    ├── FormatError                         the model's text could not be read; shown to the model
    ├── ToolError                           a tool refused its arguments; shown to the model
    ├── ScoringError                        a scorer could not decide; never counted as 0
    ├── JudgeError                          a judging model is wrong about known cases, or cannot be asked
    ├── RejectedError                       a data step drops a record, and why; a result, not a failure
    └── SpendCapError                       the money or tokens allowed are spent; what was done is kept

Messages say what was found, what is allowed and what to do next. `FormatError`, `ToolError` and, inside a tool,
`VideoError` are caught in one place, the agent loop, which turns them into an observation the model can act on; all
others end the run. Every exception takes its message as the only argument, so all of them pickle.
"""

__all__ = [
    "AmbiguousVideoError",
    "ConfigError",
    "FormatError",
    "JudgeError",
    "LongtakeError",
    "MissingExtraError",
    "ModelAuthError",
    "ModelConnectionError",
    "ModelEndpointError",
    "ModelError",
    "ModelRateLimitError",
    "ModelReplyError",
    "ModelRequestError",
    "ModelTimeoutError",
    "RejectedError",
    "ScoringError",
    "SpanError",
    "SpendCapError",
    "StoreError",
    "ToolError",
    "VideoDecodeError",
    "VideoError",
    "VideoNotFoundError",
    "VideoTimeoutError",
]


class LongtakeError(Exception):
    """Base of all errors raised here."""


class ConfigError(LongtakeError, ValueError): ...


class MissingExtraError(LongtakeError, ImportError): ...


class StoreError(LongtakeError, OSError): ...


class VideoError(LongtakeError): ...


class VideoNotFoundError(VideoError, FileNotFoundError): ...


class AmbiguousVideoError(VideoError):
    candidates: tuple[str, ...] = ()
    """Paths under the folder that was searched."""


class VideoDecodeError(VideoError): ...


class VideoTimeoutError(VideoError, TimeoutError): ...


class SpanError(VideoError, ValueError): ...


class ModelError(LongtakeError):
    retry_after_seconds: float | None = None
    """How long the server asked to wait before the next request."""
    spent: object = None
    """The `Usage` of replies that could not be used, if there were any."""


class ModelConnectionError(ModelError, ConnectionError): ...


class ModelTimeoutError(ModelError, TimeoutError): ...


class ModelAuthError(ModelError, PermissionError): ...


class ModelRateLimitError(ModelError): ...


class ModelRequestError(ModelError, ValueError): ...


class ModelEndpointError(ModelRequestError): ...


class ModelReplyError(ModelError): ...


class FormatError(LongtakeError): ...


class ToolError(LongtakeError): ...


class ScoringError(LongtakeError): ...


class JudgeError(LongtakeError): ...


class RejectedError(LongtakeError): ...


class SpendCapError(LongtakeError): ...
