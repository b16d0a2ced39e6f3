"""What the README, .env.example and docker-compose.yml say about settings is true and whole."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.settings import Settings
from providers.registry import discover

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
EXAMPLE = (ROOT / ".env.example").read_text()
COMMENTS = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMMENTS)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = [name for name, service in SERVICES.items() if "build" in service]
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def names() -> list[str]:
    """Every setting, every name a family reads its key or address under, and which of them are wanted."""
    families = [name for family in discover() for name in (*family.key_names, family.base_url_name) if name]
    return sorted({name.upper() for name in Settings.model_fields} | {"PROVIDERS"} | set(families))


@pytest.mark.parametrize("name", names())
def test_readme_names_the_setting(name: str) -> None:
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", names())
def test_env_example_names_the_setting(name: str) -> None:
    assert re.search(rf"^#{name}=", EXAMPLE, re.MULTILINE)


def test_env_example_is_read_without_effect(tmp_path: Path) -> None:
    settings = Settings(_env_file=ROOT / ".env.example")  # type: ignore[call-arg]
    assert settings.model_fields_set == set()


def test_env_example_shows_the_true_defaults() -> None:
    shown = dict(re.findall(r"^#([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))
    for name, value in shown.items():
        field = Settings.model_fields.get(name.lower())
        if field is not None and name != "DATA_DIR":
            assert str(field.default).lower() == value.lower() or float(field.default) == float(value), name


def test_readme_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


# ---- compose ---------------------------------------------------------------------------------------------------------


def environment(name: str) -> dict[str, str]:
    """What a service is told when nothing is set."""
    given = SERVICES[name].get("environment", {})
    assert {type(value) for value in given.values()} <= {str}  # YAML's own true and 0 would be something else
    return {key: VARIABLE.sub(r"\2", value) for key, value in given.items()}


def settings(name: str) -> Settings:
    """The settings a service works with, if it is one of ours."""
    ours = {key.lower(): value for key, value in environment(name).items() if not key.startswith("AWS_")}
    assert set(ours) <= set(Settings.model_fields)
    return Settings(_env_file=None, **ours)  # type: ignore[call-arg]


def needs(name: str) -> dict[str, str]:
    """What a service waits for."""
    return {other: how["condition"] for other, how in SERVICES[name].get("depends_on", {}).items()}


def test_compose_starts_one_service_on_sqlite() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["impresario"]
    assert not settings("impresario").shared()


def test_compose_scales_to_servers_that_answer_and_workers_that_work() -> None:
    scaled = {name for name, service in SERVICES.items() if service.get("profiles") == ["scale"]}
    assert scaled == set(SERVICES) - {"impresario"}
    servers = [name for name in OURS if name in scaled and "command" not in SERVICES[name]]
    assert [(name, settings(name).max_running) for name in servers] == [("server-1", 0), ("server-2", 0)]
    worker = SERVICES["worker"]
    assert (worker["command"], worker["deploy"]["replicas"]) == (["impresario", "worker"], 3)
    assert (settings("worker").max_running > 0, worker["healthcheck"]) == (True, {"disable": True})
    shared = {(settings(name).database_url, settings(name).storage_url) for name in [*servers, "worker"]}
    assert len(shared) == 1
    assert all(settings(name).shared() for name in [*servers, "worker"])


def test_readme_starts_what_compose_has() -> None:
    [named] = re.findall(r"docker compose --profile scale up ((?:[\w-]+ )+)", README)
    assert f"docker compose --profile scale up {named}".strip() in COMMENTS
    started, reached = named.split(), set(named.split())
    while more := {other for name in reached for other in needs(name)} - reached:
        reached |= more
    assert (started, reached) == (["server-1", "server-2", "worker"], set(SERVICES) - {"impresario"})


def test_compose_waits_for_what_can_be_waited_for() -> None:
    for name in SERVICES:
        for other, condition in needs(name).items():
            assert SERVICES[other].get("profiles") == SERVICES[name].get("profiles")
            if condition == "service_healthy":
                assert SERVICES[other]["healthcheck"]["test"]


def test_compose_publishes_on_this_machine_only_and_each_port_once() -> None:
    published = [VARIABLE.sub(r"\2", port) for service in SERVICES.values() for port in service.get("ports", ())]
    assert published == [f"127.0.0.1:{port}:8000" for port in (8000, 8001, 8002)]


def test_compose_pins_what_it_does_not_build() -> None:
    images = {service["image"] for service in SERVICES.values() if "build" not in service}
    assert [image for image in images if not re.search(r":v?\d+(\.\d+)*$", image)] == []


def test_compose_holds_no_secret() -> None:
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search(r"PASSWORD|SECRET|TOKEN|API_KEY", key) or "@" in value:
                assert VARIABLE.search(value), (name, key)


def test_compose_gives_the_store_and_those_who_use_it_the_same_words() -> None:
    ours, store = environment("worker"), environment("store")
    given = (store["ROOT_ACCESS_KEY"], store["ROOT_SECRET_KEY"])
    assert (ours["AWS_ACCESS_KEY_ID"], ours["AWS_SECRET_ACCESS_KEY"]) == given
    assert ours["AWS_ENDPOINT_URL"] == "http://store:7070"
    assert SERVICES["bucket"]["entrypoint"][-1].endswith(f"/{ours['STORAGE_URL'].removeprefix('s3://')}")
    database = environment("postgres")
    user = f"{database['POSTGRES_USER']}:{database['POSTGRES_PASSWORD']}"
    assert ours["DATABASE_URL"] == f"postgresql://{user}@postgres:5432/{database['POSTGRES_DB']}"


def test_compose_declares_its_volumes() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", ())}
    assert used == set(COMPOSE["volumes"])


def test_compose_stops_late_enough_for_calls_to_end() -> None:
    for name in OURS:
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) >= settings(name).shutdown_grace_s + 10
