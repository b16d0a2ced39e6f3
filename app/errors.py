"""What can go wrong inside the application, each with the HTTP status it answers with.

    AppError
      NotFound              404
      Conflict              409
      InvalidInput          422, with the fields it concerns
      IdempotencyMismatch   422
      UnsupportedMedia      415
      TooLarge              413
      NotReady              503
      GenerationFailed      502 or 504, with the generation's id
      BudgetExceeded        402: the call would pass a cap, so it was not made
      StoreFailed           500: the store refused; nothing was lost that was not announced

`str(error)` is one sentence that says what to do.
"""

from __future__ import annotations

from typing import Any


class AppError(Exception):
    """Base of the application's own errors."""

    status = 500
    code = "internal_error"
    title = "Something went wrong"

    def __init__(self, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.extra = extra
        """Further members of the problem document, for example `errors` or `generation_id`."""


class NotFound(AppError):
    status, code, title = 404, "not_found", "Not found"


class Conflict(AppError):
    status, code, title = 409, "conflict", "Conflict"


class InvalidInput(AppError):
    status, code, title = 422, "invalid_input", "Invalid input"

    def __init__(self, detail: str, field: str | None = None, **extra: Any) -> None:
        errors = [{"field": field, "detail": detail}] if field else []
        super().__init__(detail, errors=errors, **extra)


class IdempotencyMismatch(AppError):
    status, code, title = 422, "idempotency_mismatch", "Idempotency-Key reused with another body"


class UnsupportedMedia(AppError):
    status, code, title = 415, "unsupported_media", "Unsupported media type"


class TooLarge(AppError):
    status, code, title = 413, "too_large", "Too large"


class NotReady(AppError):
    status, code, title = 503, "not_ready", "Not ready"


class BudgetExceeded(AppError):
    status, code, title = 402, "budget_exceeded", "Budget exceeded"


class GenerationFailed(AppError):
    status, code, title = 502, "generation_failed", "Generation failed"


class GenerationTimedOut(GenerationFailed):
    status, code, title = 504, "generation_timed_out", "A vendor did not answer in time"


class StoreFailed(AppError):
    status, code, title = 500, "store_failed", "The asset store refused"
