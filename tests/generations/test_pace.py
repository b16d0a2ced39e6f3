"""The pace of questions about a job: as usual where nothing is known, and close around the end where it is."""

import pytest

from app.generations.pace import MOST_S, REMEMBERED, Pace

USUAL_S, LEAST_S = 5.0, 1.0


def pause(pace: Pace, elapsed_s: float, model: str = "gen4.5") -> float:
    return pace.pause_s(model, elapsed_s, USUAL_S, LEAST_S)


def learned(*took_s: float) -> Pace:
    """A pace that knows how long the last jobs took."""
    pace = Pace()
    for seconds in took_s:
        pace.learn("gen4.5", seconds)
    return pace


def questions(pace: Pace, took_s: float) -> tuple[int, float]:
    """How many questions a job of this length is asked, and how long after its end it is found done."""
    asked, elapsed_s = 1, 0.0
    while elapsed_s < took_s:
        elapsed_s += pause(pace, elapsed_s)
        asked += 1
    return asked, elapsed_s - took_s


@pytest.mark.parametrize("elapsed_s", [0, 60, 6000])
def test_job_of_which_nothing_is_known_is_asked_about_as_usual(elapsed_s):
    assert pause(Pace(), elapsed_s) == USUAL_S


def test_what_one_model_takes_says_nothing_of_another():
    assert pause(learned(100), 0, "gen4_turbo") == USUAL_S


def test_job_is_seldom_asked_about_on_the_way():
    assert pause(learned(20, 120), 0) == pytest.approx(10)


def test_first_question_waits_where_a_job_takes_its_time():
    assert learned(10).first_s("gen4.5", 0.1, 0.25, 0.05) == pytest.approx(5)


@pytest.mark.parametrize(("pace", "elapsed_s"), [(Pace(), 0.1), (learned(10), 5), (learned(0.01), 0.005)])
def test_first_question_comes_at_once_where_a_job_may_be_over(pace, elapsed_s):
    assert pace.first_s("gen4.5", elapsed_s, 0.25, 0.05) == 0


def test_long_job_is_not_left_alone_for_long():
    assert pause(learned(600), 0) == MOST_S


def test_last_question_on_the_way_comes_just_before_the_end():
    assert pause(learned(100), 90) == pytest.approx(8)


def test_a_quick_job_before_does_not_keep_a_slow_one_from_being_found_at_once():
    assert pause(learned(2, 100), 100) == pytest.approx(1.25)


@pytest.mark.parametrize("elapsed_s", [98, 100, 109])
def test_job_is_asked_about_closely_while_it_may_end(elapsed_s):
    assert pause(learned(100, 120), elapsed_s) == pytest.approx(1.25)


def test_job_that_takes_longer_than_any_before_is_asked_about_as_usual():
    assert pause(learned(100, 120), 145) == USUAL_S


def test_end_of_a_long_job_is_not_asked_about_less_than_usual():
    assert pause(learned(1000), 1000) == USUAL_S


@pytest.mark.parametrize("elapsed_s", [0, 0.9, 1, 1.05])
def test_vendors_own_limit_holds_for_the_shortest_job(elapsed_s):
    assert pause(learned(1), elapsed_s) == LEAST_S


@pytest.mark.parametrize(("took_s", "met_s"), [(3600, 3599), (60, 30), (60, 4)])
def test_job_that_was_not_watched_from_its_beginning_says_nothing(took_s, met_s):
    pace = Pace()
    pace.learn("gen4.5", took_s, met_s)
    assert pause(pace, 0) == USUAL_S


def test_only_the_last_jobs_are_remembered():
    assert pause(learned(1, *[20] * REMEMBERED), 0) == pytest.approx(10)


@pytest.mark.parametrize("took_s", [60, 66, 120, 600])
def test_job_that_takes_as_long_as_the_last_one_is_asked_about_less_often(took_s):
    assert questions(learned(took_s), took_s)[0] < questions(Pace(), took_s)[0]


@pytest.mark.parametrize("took_s", [60, 65, 118, 120, 130])
def test_job_that_takes_as_long_as_one_before_is_found_done_within_two_hundredths(took_s):
    assert questions(learned(60, 120), took_s)[1] <= 0.02 * took_s + 0.001
