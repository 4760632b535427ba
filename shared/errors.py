"""The one tree of errors: each class carries its code, its HTTP status and whether a retry helps.

TesseraError
  - ConfigurationError        the process cannot start as configured
  - InvalidBody (400)         not JSON
  - InvalidRequest (422)      JSON, but not a legal request
    - IdempotencyMismatch     the key was used with another body
    - OutboundRefused         a URL that we do not dial
    - OutboundFailed          a URL that did not answer as it should
    - UnusablePicture         an input picture that cannot be taken
      - PictureUnsupported, PictureDamaged, PictureAnimated, PictureTooManyPixels,
        PictureMetadataTooLarge
    - DeadlineUnreachable     the estimate is later than the deadline
  - UnsupportedMediaType (415)
  - Unauthorized (401), Forbidden (403), NotFound (404)
  - NotAcceptable (406)
  - BodyTooLarge (413)
  - JobCanceled (409), JobExpired (504)   who waited for a picture gets none
  - Refused (429)             legal, but not now
    - RateLimited, QuotaExceeded, QueueFull, TooManyStreams
  - NotReady (503)
    - StoreUnavailable        Redis does not answer, or is full
    - StorageUnavailable      S3 does not answer
  - JobFailure                what a job's `error` can be
    - WorkerLost, GenerationInvalid, InputGone, SamplerUnsuited, ResourceExhausted,
      InternalError
"""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong field: where, what is wrong with it, and what to do."""

    field: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class LimitState:
    """A caller's cost limit: `burst` within `window_seconds`, and what of it remains.

    All of it remains again in `reset_seconds`.
    """

    burst: float
    window_seconds: float
    remaining: float
    reset_seconds: float


class TesseraError(Exception):
    """The root. `detail` is for people and never repeats the client's input."""

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = errors
        self.retry_after = retry_after


class ConfigurationError(TesseraError):
    """The process cannot start as it is configured."""

    code = "configuration_error"


class InvalidBody(TesseraError):
    """The body is not JSON."""

    code = "invalid_json"
    status = 400


class InvalidRequest(TesseraError):
    """The body is JSON, but not a legal request."""

    code = "invalid_request"
    status = 422


class DeadlineUnreachable(InvalidRequest):
    """The job would not be finished by its own deadline."""

    code = "deadline_unreachable"


class IdempotencyMismatch(InvalidRequest):
    """The idempotency key came before with another body."""

    code = "idempotency_key_reused"


class OutboundRefused(InvalidRequest):
    """A URL that leads nowhere, or where this service does not go; which of them is not told."""

    code = "url_refused"

    def __init__(self) -> None:
        super().__init__("the URL cannot be used: it must be https and lead to a public address")


class OutboundFailed(InvalidRequest):
    """What a URL leads to did not answer, or not with what was asked for."""

    code = "url_failed"

    def __init__(self) -> None:
        super().__init__("the URL did not answer in time with what was asked for")


class UnusablePicture(InvalidRequest):
    """An input picture cannot be taken."""

    code = "picture_unusable"


class PictureUnsupported(UnusablePicture):
    """The bytes are no PNG, JPEG or WebP, whatever the name or the declared type says."""

    code = "picture_unsupported"


class PictureDamaged(UnusablePicture):
    """The picture is cut off or damaged."""

    code = "picture_damaged"


class PictureAnimated(UnusablePicture):
    """The picture has several frames."""

    code = "picture_animated"


class PictureTooManyPixels(UnusablePicture):
    """The picture has more pixels than are taken."""

    code = "picture_too_many_pixels"


class PictureMetadataTooLarge(UnusablePicture):
    """The picture's texts or its colour profile inflate to more than is taken."""

    code = "picture_metadata_too_large"


class UnsupportedMediaType(TesseraError):
    """The body is not declared as JSON."""

    code = "unsupported_media_type"
    status = 415


class Unauthorized(TesseraError):
    """No key, or not one of ours."""

    code = "unauthorized"
    status = 401


class Forbidden(TesseraError):
    """A good key without the scope, or a request that open mode does not take."""

    code = "forbidden"
    status = 403


class NotFound(TesseraError):
    """Not there, or another tenant's."""

    code = "not_found"
    status = 404


class NotAcceptable(TesseraError):
    """`Accept` asks for a kind of answer that there is not."""

    code = "not_acceptable"
    status = 406


class BodyTooLarge(TesseraError):
    """The body passes the cap."""

    code = "body_too_large"
    status = 413


class BodyTooSlow(TesseraError):
    """The body did not arrive in time."""

    code = "body_too_slow"
    status = 408
    retryable = True


class JobCanceled(TesseraError):
    """The job was canceled while a client waited for its picture."""

    code = "job_canceled"
    status = 409


class JobExpired(TesseraError):
    """The job's deadline passed while a client waited for its picture."""

    code = "job_expired"
    status = 504


class Refused(TesseraError):
    """Legal, but not now: the caller or the system has a limit.

    `waiting_cost`, where known, is the cost that is queued under that limit.
    """

    status = 429
    retryable = True

    def __init__(
        self, detail: str, *, waiting_cost: float | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.waiting_cost = waiting_cost


class RateLimited(Refused):
    """The caller submits faster than it may, or showed too many wrong keys."""

    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after: float, limit: LimitState | None = None) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.limit = limit


class QuotaExceeded(Refused):
    """The caller has as much queued as it may, or has sent as many bytes as it may in a day."""

    code = "quota_exceeded"


class QueueFull(Refused):
    """The system has as much queued as it takes."""

    code = "queue_full"


class TooManyStreams(Refused):
    """The caller has as many event streams open as it may."""

    code = "too_many_streams"


class NotReady(TesseraError):
    """A part that every request needs does not answer."""

    code = "not_ready"
    status = 503
    retryable = True


class StoreUnavailable(NotReady):
    """Redis does not answer, or has no memory left."""

    code = "store_unavailable"


class StorageUnavailable(NotReady):
    """S3 does not answer."""

    code = "storage_unavailable"


class JobFailure(TesseraError):
    """What a job's `error` can be; `retryable` says whether the same request may work later."""


class WorkerLost(JobFailure):
    """The job's worker died under it too often."""

    code = "worker_lost"
    retryable = True


class GenerationInvalid(JobFailure):
    """The model made something that is no picture (NaN)."""

    code = "generation_invalid"


class InputGone(JobFailure):
    """A picture that the request names was deleted before the job began."""

    code = "input_gone"


class SamplerUnsuited(JobFailure):
    """The sampler cannot follow this model's noise schedule."""

    code = "sampler_unsuited"


class ResourceExhausted(JobFailure):
    """The request does not fit the device even alone."""

    code = "resource_exhausted"


class InternalError(JobFailure):
    """A defect of ours; the log has it under the job's id."""

    code = "internal_error"
    retryable = True
