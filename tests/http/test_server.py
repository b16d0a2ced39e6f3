"""The server itself: alive, ready, counted, its catalogue, and who may call it from where."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.http.talk import CLIENT, IMAGE, OFFLINE, fields, generated, problem
from tests.server import Reply, Server, free_port

FOREIGN = {"origin": "https://elsewhere.example"}
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,prefer"}


class Unready(Server):
    """A server that cannot make anything, and is there when it is alive."""

    def _await_ready(self) -> None:
        while self._process.poll() is None:
            with contextlib.suppress(OSError):
                self.get("/health")
                return
            time.sleep(0.05)


@pytest.fixture(scope="module")
def keyless(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a key for pictures and clips, and none for the model that plans."""
    with Unready(tmp_path_factory.mktemp("keyless"), {"REPLICATE_API_TOKEN": "r8_none"}) as running:
        yield running


def number(server: Server, name: str, **labels: str) -> float:
    """A number of `/metrics`; 0 while there is none."""
    families = text_string_to_metric_families(server.get("/metrics").body.decode())
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def names(reply: Reply) -> list[str]:
    """The models of an answer."""
    return [model["name"] for model in reply.body["data"]]


# ---- alive and ready -------------------------------------------------------------------------------------------------


def test_a_server_that_lives_says_so(server):
    reply = server.get("/health")
    assert (reply.status, reply.body) == (200, {"status": "ok"})


def test_a_server_that_can_work_says_with_what(server):
    reply = server.get("/ready")
    assert (reply.status, reply.body["status"], reply.body["agent_model"]) == (200, "ready", "offline-planner")
    assert {"generate_image", "edit_image", "analyze_video", "transcribe_audio"} <= set(reply.body["tools"])


def test_a_server_whose_planner_has_no_key_is_not_ready(keyless):
    reply = keyless.get("/ready")
    assert problem(reply) == (503, "not_ready")
    assert "OPENAI_API_KEY" in reply.body["detail"]


def test_a_server_that_is_not_ready_is_alive(keyless):
    assert keyless.get("/health").status == 200


def test_a_generation_without_a_planner_fails_with_what_to_do(keyless):
    reply = keyless.post("/generate", {"prompt": IMAGE})
    status, _ = problem(reply)
    assert (status in (502, 503), "OPENAI_API_KEY" in reply.body["detail"]) == (True, True)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def test_a_generation_is_counted_where_it_is_made(alone):
    counted = {"status": "completed", "stop_reason": "answered"}
    before = number(alone, "impresario_generations_total", **counted)
    generated(alone)
    assert number(alone, "impresario_generations_total", **counted) == before + 1
    assert number(alone, "impresario_generation_seconds_count") >= before + 1


def test_requests_are_counted_by_route_and_not_by_id(server):
    route = {"method": "GET", "route": "/generations/{generation_id}", "status": "200"}
    before = number(server, "impresario_http_requests_total", **route)
    for _ in range(2):
        server.get(f"/generations/{generated(server)['id']}")
    assert number(server, "impresario_http_requests_total", **route) == before + 2
    assert b"gen_" not in server.get("/metrics").body


def test_numbers_come_in_the_text_format(server):
    assert server.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


# ---- the catalogue ---------------------------------------------------------------------------------------------------


def test_the_catalogue_tells_what_works_here(server):
    here = server.get("/models?available=true")
    assert {model["vendor"] for model in here.body["data"]} == {"offline"}
    assert {model["modality"] for model in here.body["data"]} == {"chat", "image", "video", "speech", "transcription"}
    assert {model["reason"] for model in here.body["data"]} == {None}


def test_the_catalogue_tells_why_not(server):
    missing = server.get("/models?available=false").body["data"]
    reasons = {model["vendor"]: model["reason"] for model in missing}
    assert ("OPENAI_API_KEY" in reasons["openai"], "REPLICATE_API_TOKEN" in reasons["replicate"]) == (True, True)
    assert "RUNWAYML_API_SECRET" in reasons["runway"]


def test_what_works_and_what_does_not_is_everything(server):
    everything, here, missing = (
        names(server.get(f"/models{query}")) for query in ("", "?available=true", "?available=false")
    )
    assert sorted(here + missing) == sorted(everything)


@pytest.mark.parametrize("modality", ["chat", "image", "video", "speech"])
def test_the_catalogue_can_be_of_one_modality(server, modality):
    models = server.get(f"/models?modality={modality}").body["data"]
    assert {model["modality"] for model in models} == {modality}
    assert f"offline/offline-{'planner' if modality == 'chat' else modality}" in [model["name"] for model in models]


def test_the_catalogue_can_be_of_one_capability(server):
    models = server.get("/models?capability=text_to_video").body["data"]
    assert {"offline/offline-video", "runway/gen4.5"} <= {model["name"] for model in models}
    assert all("text_to_video" in model["capabilities"] for model in models)


def test_questions_about_the_catalogue_add_up(server):
    assert names(server.get("/models?modality=image&available=true&capability=text_to_image")) == [
        "offline/offline-image"
    ]


def test_a_capability_no_model_has_is_an_empty_list(server):
    assert server.get("/models?capability=telepathy").body["data"] == []


def test_the_catalogue_tells_what_ends(server):
    models = {model["name"]: model for model in server.get("/models").body["data"]}
    ending = models["openai/gpt-4o"]
    assert (ending["status"] in ("deprecated", "retired"), ending["shutdown"]) == (True, "2027-01-14")
    assert "gpt-6-luna" in ending["successor"]
    assert models["offline/offline-planner"]["retires_soon"] is False


def test_the_catalogue_tells_bounds_as_numbers(server):
    speech = next(row for row in server.get("/models?modality=speech").body["data"] if row["vendor"] == "openai")
    assert speech["limits"]["speed_min"] == 0.25


def test_a_model_that_ends_soon_is_warned_of_where_it_could_be_used(keyless):
    listed = keyless.get("/models").body
    soon = [model["name"] for model in listed["data"] if model["retires_soon"] and model["available"]]
    assert [name for name in soon if not any(name.split("/")[-1] in warning for warning in listed["warnings"])] == []


@pytest.mark.parametrize("query", ["modality=smell", "available=perhaps", "capability=" + "x" * 65])
def test_a_wrong_question_about_the_catalogue_is_named(server, query):
    assert fields(server.get(f"/models?{query}")) == [f"query.{query.split('=')[0]}"]


# ---- what is not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/nothing", "/static/web/nothing.js", "/static/web/../../main.py", "/%00", "/.env"])
def test_an_address_with_nothing_behind_it_is_a_problem(server, path):
    assert problem(server.get(path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/generate", "POST"),
        ("PUT", "/assets", "GET"),
        ("POST", "/health", "GET"),
        ("PATCH", f"/generations/gen_{'0' * 26}", "DELETE, GET"),
        ("OPTIONS", f"/assets/asset_{'0' * 26}", "DELETE, GET"),
        ("DELETE", f"/assets/asset_{'0' * 26}/content", "GET, HEAD"),
    ],
)
def test_a_method_an_address_does_not_take_is_a_problem_that_names_those_it_takes(server, method, path, allowed):
    reply = server.request(method, path)
    assert problem(reply) == (405, "method_not_allowed")
    assert reply.headers["allow"] == allowed


# ---- from where ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["elsewhere.example", "127.0.0.1.elsewhere.example", "169.254.169.254", ""])
def test_a_strange_name_for_a_server_of_this_machine_is_a_problem(server, host):
    assert problem(server.get("/health", headers={"host": host})) == (400, "bad_request")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8000", "[::1]:8000"])
def test_the_names_of_this_machine_are_known(server, host):
    assert server.get("/health", headers={"host": host}).status == 200


def test_a_page_from_elsewhere_is_told_nothing(server, narrow):
    for running in (server, narrow):
        reply = running.get("/generations", headers=FOREIGN)
        assert [name for name in reply.headers if name.startswith("access-control")] in (
            [],
            ["access-control-expose-headers"],
        )


def test_a_page_from_elsewhere_may_not_post(server, narrow):
    for running in (server, narrow):
        reply = running.request("OPTIONS", "/generate", headers={**FOREIGN, **PREFLIGHT})
        assert (reply.status >= 400, reply.headers["content-type"]) == (True, "application/problem+json")
        assert "access-control-allow-origin" not in reply.headers


@pytest.mark.parametrize("origin", [CLIENT, "http://localhost:5173"])
def test_a_web_client_that_was_named_may_post(narrow, origin):
    reply = narrow.request("OPTIONS", "/generate", headers={"origin": origin, **PREFLIGHT})
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (200, origin)
    assert "prefer" in reply.headers["access-control-allow-headers"]


SHOWN = ("location", "preference-applied", "etag", "content-range", "x-generation-id")


def test_a_web_client_that_was_named_can_read_what_it_needs(narrow):
    reply = narrow.post("/generate", {"prompt": "hello"}, headers={"origin": CLIENT, "prefer": "respond-async"})
    shown = reply.headers["access-control-expose-headers"].lower()
    assert (reply.status, reply.headers["access-control-allow-origin"]) == (202, CLIENT)
    assert [name for name in SHOWN if name not in shown] == []


@pytest.mark.parametrize("path", [f"/generations/gen_{'0' * 26}", "/nothing", "/generations?limit=0"])
def test_a_web_client_that_was_named_can_read_what_is_wrong(narrow, path):
    reply = narrow.get(path, headers={"origin": CLIENT})
    assert (reply.status >= 400, reply.headers["access-control-allow-origin"]) == (True, CLIENT)


# ---- starting --------------------------------------------------------------------------------------------------------


def serve(server: Server, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`impresario serve` with a server's environment and other settings, when it ends by itself."""
    command = [sys.executable, "-m", "app.cli", "serve", *arguments]
    environment = {**server.environment, "PORT": "0", "COLUMNS": "300", **settings}
    cwd = server.data_dir.parent
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])
def test_listening_to_everybody_without_keys_is_refused(alone, tmp_path, address):
    ended = serve(alone, "--host", address, DATA_DIR=str(tmp_path))
    assert (ended.returncode, "ALLOW_ANONYMOUS=true" in ended.stdout + ended.stderr) == (2, True)
    assert "Traceback" not in ended.stdout + ended.stderr


def test_listening_to_everybody_can_be_allowed(tmp_path: Path):
    settings = {**OFFLINE, "HOST": "0.0.0.0", "ALLOW_ANONYMOUS": "true"}
    with Server(tmp_path, settings, port=free_port()) as running:
        assert running.get("/health", headers={"host": "media.example"}).status == 200


def test_a_second_server_on_the_same_data_is_refused(alone):
    ended = serve(alone)
    said = ended.stdout + ended.stderr
    assert (ended.returncode, f"Another Impresario works in {alone.data_dir}" in said) == (2, True)
    assert ("Traceback" in said, "listens at" in said) == (False, False)
    assert alone.get("/health").status == 200


def test_a_form_on_another_site_cannot_post_here(server):
    reply = server.upload("a.txt", b"words", "text/plain", headers=FOREIGN)
    assert (reply.status, reply.body["code"]) == (403, "foreign_origin")


def test_the_servers_own_page_may_post(server):
    reply = server.upload("a.txt", b"words", "text/plain", headers={"origin": server.url})
    assert reply.status == 201
