"""Generations after they were begun: the list, one of them, its events, its cancellation and deletion."""

from __future__ import annotations

import pytest

from tests.http.talk import (
    IMAGE,
    NOBODY,
    begun,
    connected,
    ended,
    events,
    fields,
    generated,
    long_clip,
    pages,
    problem,
    until,
)
from tests.server import Event, Server, parse_events

OTHERS = ["", "/events", "/cancel"]


@pytest.fixture(scope="module")
def three(server: Server) -> list[str]:
    """The ids of three generations, in the order they were asked for."""
    return [generated(server, f"hello {number}")["id"] for number in range(3)]


@pytest.fixture(scope="module")
def happened(server: Server) -> list[Event]:
    """Everything that happened in a generation that is over."""
    return events(server, generated(server, IMAGE)["id"])


def events_path(happened: list[Event]) -> str:
    """Where these events can be read again."""
    return f"/generations/{happened[-1].data['id']}/events"


# ---- the list --------------------------------------------------------------------------------------------------------


def test_the_list_begins_with_the_newest(server):
    made = [generated(server, f"hello {number}")["id"] for number in range(3)]
    page = server.get("/generations?limit=3").body
    assert [generation["id"] for generation in page["data"]] == made[::-1]


def test_the_cursor_leads_through_the_whole_list(server, three):
    ids = [generation["id"] for page in pages(server, "/generations", 2) for generation in page]
    assert ids == sorted(set(ids), reverse=True)
    assert set(three) <= set(ids)


def test_every_page_but_the_last_is_full(server, three):
    sizes = [len(page) for page in pages(server, "/generations", 2)]
    assert set(sizes[:-1]) == {2}
    assert sizes[-1] in (1, 2)


def test_a_generation_begun_between_two_pages_moves_nothing(server, three):
    first = server.get("/generations?limit=2").body
    generated(server)
    second = server.get(f"/generations?limit=2&cursor={first['next_cursor']}").body
    assert second["data"][0]["id"] < first["data"][1]["id"]


def test_an_entry_of_the_list_is_the_whole_generation(server):
    generation = generated(server, IMAGE)
    assert server.get("/generations?limit=1").body["data"] == [generation]


@pytest.mark.parametrize("status", ["completed", "cancelled", "failed"])
def test_the_list_can_be_of_one_status(server, three, status):
    server.post(f"/generations/{begun(server, long_clip())}/cancel")
    listed = [generation for page in pages(server, f"/generations?status={status}", 100) for generation in page]
    assert {generation["status"] for generation in listed} <= {status}
    assert bool(listed) == (status != "failed")


def test_what_runs_is_listed_as_running(server, clip):
    until(server, clip, "tool.started")
    assert clip in [generation["id"] for generation in server.get("/generations?status=running").body["data"]]


def test_a_cursor_behind_the_last_is_an_empty_page(server):
    assert server.get(f"/generations?cursor={NOBODY}").body == {"data": [], "next_cursor": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "query.limit"),
        ("limit=101", "query.limit"),
        ("limit=many", "query.limit"),
        ("status=forgotten", "query.status"),
        ("cursor=yesterday", "query.cursor"),
    ],
)
def test_a_wrong_question_about_the_list_is_named(server, query, field):
    assert fields(server.get(f"/generations?{query}")) == [field]


# ---- one -------------------------------------------------------------------------------------------------------------


def test_a_generation_is_fetched_as_it_was_answered(server):
    generation = generated(server, IMAGE)
    assert server.get(f"/generations/{generation['id']}").body == generation


def test_a_generation_that_runs_can_be_fetched(server, clip):
    until(server, clip, "tool.started")
    generation = server.get(f"/generations/{clip}").body
    assert (generation["status"], generation["stop_reason"], generation["completed_at"]) == ("running", None, None)
    assert generation["steps"][-1]["status"] == "running"


@pytest.mark.parametrize("rest", OTHERS)
def test_a_generation_nobody_knows_is_not_found(server, rest):
    method = "POST" if rest == "/cancel" else "GET"
    assert problem(server.request(method, f"/generations/{NOBODY}{rest}")) == (404, "not_found")


@pytest.mark.parametrize("rest", OTHERS)
def test_an_id_that_is_none_is_refused(server, rest):
    method = "POST" if rest == "/cancel" else "GET"
    assert fields(server.request(method, f"/generations/gen_%27{rest}")) == ["path.generation_id"]


# ---- events ----------------------------------------------------------------------------------------------------------


def test_events_can_be_read_again_when_all_is_over(server, happened):
    assert list(server.events(events_path(happened))) == happened


def test_events_from_nought_on_are_all_of_them(server, happened):
    assert list(server.events(events_path(happened), 0)) == happened


@pytest.mark.parametrize("position", [0, 2, -2])
def test_events_go_on_behind_the_one_seen_last(server, happened, position):
    seen = happened[position].id
    assert list(server.events(events_path(happened), seen)) == [event for event in happened if event.id > seen]


@pytest.mark.parametrize("further", [0, 1000])
def test_a_stream_that_was_seen_to_its_end_is_over(server, happened, further):
    last = str(happened[-1].id + further)
    reply = server.get(events_path(happened), headers={"last-event-id": last})
    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize("seen", ["-1", "x", "1.5", "9" * 30])
def test_an_event_id_that_is_none_is_named(server, happened, seen):
    reply = server.get(events_path(happened), headers={"last-event-id": seen})
    assert fields(reply) == ["header.last-event-id"]


def test_events_are_told_while_the_work_goes_on(server, clip):
    progress = until(server, clip, "tool.progress").data
    assert 0 <= progress["progress"] < 1
    assert server.get(f"/generations/{clip}").body["status"] == "running"


def test_a_watcher_can_come_back_to_what_it_missed(server):
    generation_id = begun(server, "A 2 second clip of waves, 320x180")
    first = until(server, generation_id, "tool.started")
    rest = events(server, generation_id, first.id)
    assert [first, *rest] == events(server, generation_id)[-1 - len(rest) :]
    assert rest[-1].name == "generation.completed"


def test_many_can_watch_the_same_generation(server):
    generation_id = begun(server, "A 1 second clip of a lighthouse, 320x180")
    with connected(server) as one, connected(server) as other:
        for connection in (one, other):
            connection.request("GET", f"/generations/{generation_id}/events")
        seen = [list(parse_events(iter(watcher.getresponse().readline, b""))) for watcher in (one, other)]
    assert seen[0] == seen[1]
    assert seen[0][-1].name == "generation.completed"


# ---- cancel ----------------------------------------------------------------------------------------------------------


def test_a_generation_that_films_can_be_cancelled(server, clip):
    until(server, clip, "tool.progress")
    cancelled = server.post(f"/generations/{clip}/cancel")
    assert (cancelled.status, cancelled.body["status"], cancelled.body["stop_reason"]) == (
        200,
        "cancelled",
        "cancelled",
    )
    assert cancelled.body["completed_at"]
    assert "running" not in [step["status"] for step in cancelled.body["steps"]]


def test_the_events_of_a_cancelled_generation_end_with_that(server, clip):
    watcher = server.events(f"/generations/{clip}/events")
    next(event for event in watcher if event.name == "tool.progress")
    cancelled = server.post(f"/generations/{clip}/cancel").body
    last = list(watcher)[-1]
    assert (last.name, last.data["id"], last.data["status"]) == ("generation.cancelled", clip, cancelled["status"])


def test_cancelling_twice_is_cancelling_once(server, clip):
    until(server, clip, "tool.progress")
    first, second = (server.post(f"/generations/{clip}/cancel") for _ in range(2))
    assert (first.status, second.status, second.body) == (200, 200, first.body)
    names = [event.name for event in events(server, clip)]
    assert names.count("generation.cancelled") == 1


def test_cancelling_what_is_over_changes_nothing(server):
    generation = generated(server, IMAGE)
    assert server.post(f"/generations/{generation['id']}/cancel").body == generation


def test_a_cancelled_generation_stays_cancelled(server):
    generation_id = begun(server, long_clip())
    until(server, generation_id, "tool.progress")
    cancelled = server.post(f"/generations/{generation_id}/cancel").body
    generated(server, "A 1 second clip of waves, 320x180")
    assert server.get(f"/generations/{generation_id}").body == cancelled


def test_one_of_two_that_film_the_same_can_be_cancelled(server):
    prompt = "A 8 second clip of rain, 320x180"
    one, other = begun(server, prompt), begun(server, prompt)
    server.post(f"/generations/{one}/cancel")
    assert ended(server, other)["status"] == "completed"


# ---- delete ----------------------------------------------------------------------------------------------------------


def test_a_deleted_generation_is_gone_with_its_assets(server):
    generation = generated(server, IMAGE)
    [asset] = generation["assets"]
    server.get(asset["thumbnail_url"])
    assert server.delete(f"/generations/{generation['id']}").status == 204
    gone = [f"/generations/{generation['id']}", f"/generations/{generation['id']}/events"]
    gone += [f"/assets/{asset['id']}{rest}" for rest in ("", "/content", "/thumbnail")]
    assert [problem(server.get(path)) for path in gone] == [(404, "not_found")] * 5


def test_a_deleted_generation_is_in_no_list(server):
    generation = generated(server, IMAGE)
    server.delete(f"/generations/{generation['id']}")
    listed = [each["id"] for page in pages(server, "/generations", 100) for each in page]
    kept = [each["generation_id"] for page in pages(server, "/assets", 100) for each in page]
    assert generation["id"] not in listed + kept


def test_deleting_twice_is_not_found(server):
    path = f"/generations/{generated(server)['id']}"
    assert server.delete(path).status == 204
    assert problem(server.delete(path)) == (404, "not_found")


def test_a_generation_that_runs_can_be_deleted(server):
    generation_id = begun(server, long_clip())
    until(server, generation_id, "tool.started")
    assert server.delete(f"/generations/{generation_id}").status == 204
    assert problem(server.get(f"/generations/{generation_id}")) == (404, "not_found")


def test_an_answer_without_content_has_no_content_type(server):
    reply = server.delete(f"/generations/{generated(server)['id']}")
    assert (reply.status, reply.body, "content-type" in reply.headers) == (204, b"", False)


def test_the_key_of_a_deleted_generation_can_begin_another(server):
    first = begun(server, key="deleted")
    ended(server, first)
    server.delete(f"/generations/{first}")
    assert ended(server, begun(server, key="deleted"))["status"] == "completed"
