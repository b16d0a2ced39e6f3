"""Everything that can go wrong at a vendor, as one tree.

    ProviderError
      NotOffered            no such model, or it cannot do what was asked: nothing was sent
      Unavailable           the family has no key, or the model is retired without an heir: nothing was sent
      NotSent               no connection could be made, so nothing left: safe to try again
      Refused               the vendor answered before starting any work, so nothing is owed
        RateLimited         429: wait `retry_after` seconds, then try again
        Overloaded          503 with a time to come back: try again
        QuotaExhausted      no credit or a daily cap: waiting does not help
        Unauthorized        the key is missing, wrong, or may not do this
        InvalidRequest      the vendor did not accept the parameters
          ModelGone         the vendor does not serve this model, or no longer
      Moderated             blocked for its content; never retried, never sent to another vendor
      JobFailed             the vendor accepted the work and failed at it
      JobLost               the vendor no longer knows the job
      Unanswered            a question about a job (poll, cancel) got no answer: no verdict, ask again
      OutcomeUnknown        bytes were sent and no usable answer came: it may have been done, and billed
      MalformedAnswer       an answer came that cannot be understood; it was probably billed
      DownloadFailed        the work exists, but its bytes could not be fetched this time
        DownloadRefused     the address, size or kind of the download breaks a safety rule

`permanent` says that the same request will fail again; `charged` whether money may be owed (None: not known);
`elsewhere` that it definitely did not start for a reason of this vendor's own, so that another may be asked.
Only errors that are neither permanent nor charged are tried again by themselves (see `http.patiently`).
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

# The shapes of the vendors' keys: sk-... (OpenAI, Anthropic, Stability), sk_... (ElevenLabs), r8_... (Replicate),
# key_... (Runway), xai-..., AIza... (Google); each holds a digit. BFL's and fal's are UUIDs, as other things are.
KEY = re.compile(r"\b(?:(?:sk|r8|key|xai)[-_]|AIza)(?=[\w-]*\d)[\w-]{8,}")


def without_keys(text: str) -> str:
    """A vendor's sentence with whatever looks like a key masked: some vendors quote the key they refuse."""
    return KEY.sub("***", text)


class ProviderError(Exception):
    """Base of all vendor failures: `str(error)` is one sentence fit for a user and for the model."""

    code = "provider_error"
    permanent = True
    charged: bool | None = False
    elsewhere = False

    def __init__(self, message: str, *, retry_after: float | None = None, cost_usd: Decimal | None = None) -> None:
        super().__init__(without_keys(message))
        self.retry_after = retry_after
        """Seconds the vendor asked to wait, None when it did not say."""
        self.cost_usd = cost_usd
        """What the vendor says the failed work cost, None when it did not say."""
        self.response: Any = None
        """The vendor's whole answer (httpx), where one came: for a family to look further into."""


class NotOffered(ProviderError):
    code = "not_offered"


class Unavailable(ProviderError):
    code = "unavailable"


class NotSent(ProviderError):
    code = "not_sent"
    permanent = False
    elsewhere = True


class Refused(ProviderError):
    code = "refused"


class RateLimited(Refused):
    code = "rate_limited"
    permanent = False
    elsewhere = True


class Overloaded(Refused):
    code = "overloaded"
    permanent = False
    elsewhere = True


class QuotaExhausted(Refused):
    code = "quota_exhausted"
    elsewhere = True


class Unauthorized(Refused):
    code = "unauthorized"


class InvalidRequest(Refused):
    code = "invalid_request"


class ModelGone(InvalidRequest):
    code = "model_gone"
    elsewhere = True


class Moderated(ProviderError):
    code = "moderated"
    charged = None


class JobFailed(ProviderError):
    code = "job_failed"
    charged = None


class JobLost(ProviderError):
    code = "job_lost"
    charged = None


class Unanswered(ProviderError):
    code = "unanswered"
    permanent = False


class OutcomeUnknown(ProviderError):
    code = "outcome_unknown"
    charged = None


class MalformedAnswer(ProviderError):
    code = "malformed_answer"
    charged = None


class DownloadFailed(ProviderError):
    code = "download_failed"
    permanent = False
    charged = None


class DownloadRefused(DownloadFailed):
    code = "download_refused"
    permanent = True
