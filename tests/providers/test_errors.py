"""No vendor's sentence carries a key onwards, whichever way it came; and what each failure means for the money."""

import pickle

import pytest

from providers import errors
from providers.errors import InvalidRequest, JobFailed, ProviderError
from providers.http import Patience
from providers.refusals import error_for

KEYS = ("sk-fake-openai-key-0001", "sk-proj-" + "aB3" * 40, "r8_fakeReplicateToken0002", "key_" + "fa4e" * 32)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_refusal_is_masked(key: str) -> None:
    error = error_for("OpenAI", 400, {}, {"error": {"message": f"Incorrect API key provided: {key}."}}, paid=True)
    assert isinstance(error, InvalidRequest)
    assert (key not in str(error), "***" in str(error)) == (True, True)


def test_a_key_cut_off_by_the_length_limit_is_masked() -> None:
    error = error_for("OpenAI", 400, {}, {"error": "x" * 380 + " sk-proj-" + "aB3" * 40}, paid=True)
    assert "sk-proj" not in str(error)


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_failed_job_is_masked(key: str) -> None:
    assert key not in str(JobFailed(f"Replicate failed to make it: bad token {key}"))


@pytest.mark.parametrize(
    "text", ["Use key_frames or sk-learn.", "gpt-image-2.6-flare cannot do this.", "asset_01m7wg0yf3"]
)
def test_ordinary_words_stay(text: str) -> None:
    assert str(ProviderError(text)) == text


def test_an_error_survives_pickling() -> None:
    assert str(pickle.loads(pickle.dumps(JobFailed("It failed.", retry_after=2.0)))) == "It failed."


# ---- money -----------------------------------------------------------------------------------------------------------

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ProviderError)]
NO, MAYBE = False, None
MEANING = {  # permanent, charged, may be asked elsewhere
    "provider_error": (True, NO, False),
    "not_offered": (True, NO, False),
    "unavailable": (True, NO, False),
    "not_sent": (False, NO, True),
    "refused": (True, NO, False),
    "rate_limited": (False, NO, True),
    "overloaded": (False, NO, True),
    "quota_exhausted": (True, NO, True),
    "unauthorized": (True, NO, False),
    "invalid_request": (True, NO, False),
    "model_gone": (True, NO, True),
    "moderated": (True, MAYBE, False),
    "job_failed": (True, MAYBE, False),
    "job_lost": (True, MAYBE, False),
    "unanswered": (False, NO, False),
    "outcome_unknown": (True, MAYBE, False),
    "malformed_answer": (True, MAYBE, False),
    "download_failed": (False, MAYBE, False),
    "download_refused": (True, MAYBE, False),
}


def test_each_failure_says_whether_it_passes_what_it_may_cost_and_whether_another_may_be_asked() -> None:
    assert {kind.code: (kind.permanent, kind.charged, kind.elsewhere) for kind in KINDS} == MEANING


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_what_may_be_owed_or_will_not_pass_is_never_tried_again(kind: type[ProviderError]) -> None:
    permanent, charged, _ = MEANING[kind.code]
    assert (Patience().after(kind("It failed.", retry_after=0)) is None) == (permanent or charged is MAYBE)


def test_another_vendor_is_asked_only_where_nothing_is_owed() -> None:
    assert [kind.code for kind in KINDS if kind.elsewhere and kind.charged is not NO] == []


def test_each_failure_has_a_code_of_its_own() -> None:
    codes = [kind.code for kind in KINDS]
    assert sorted(codes) == sorted(set(codes))
