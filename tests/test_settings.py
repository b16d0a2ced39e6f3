"""Settings: environment before `.env` before defaults; what follows from them."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, read_environment


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the machine, and a working directory without a `.env`."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_serve_this_machine_alone():
    settings = Settings()
    assert (settings.host, settings.port, settings.agent_model) == ("127.0.0.1", 8000, "gpt-4o")
    assert settings.max_cost_usd is None
    assert settings.loopback_only()


def test_env_file_goes_before_the_default():
    Path(".env").write_text("AGENT_MODEL=gpt-6-luna\nPORT=9000\n")
    assert (Settings().agent_model, Settings().port) == ("gpt-6-luna", 9000)


def test_environment_goes_before_the_env_file(monkeypatch):
    Path(".env").write_text("AGENT_MODEL=gpt-6-luna\n")
    monkeypatch.setenv("AGENT_MODEL", "qwen3")
    assert Settings().agent_model == "qwen3"


def test_empty_variable_is_none(monkeypatch):
    monkeypatch.setenv("MAX_COST_USD", "")
    monkeypatch.setenv("AGENT_MODEL", "")
    assert (Settings().max_cost_usd, Settings().agent_model) == (None, "gpt-4o")


def test_keys_of_vendors_in_the_env_file_are_not_settings():
    Path(".env").write_text("OPENAI_API_KEY=sk-secret\n")
    assert "sk-secret" not in repr(Settings())


def test_money_is_exact(monkeypatch):
    monkeypatch.setenv("MAX_COST_USD", "0.10")
    assert Settings().max_cost_usd == Decimal("0.10")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "x"),
        ("MAX_COST_USD", "-1"),
        ("MAX_UPLOAD_BYTES", "0"),
        ("VIDEO_DEADLINE_S", "0"),
        ("MAX_RUNNING", "-1"),
        ("SWEEP_EVERY_S", "0"),
    ],
)
def test_bad_value_names_its_setting(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mysql://user:secret@host/name"),
        ("DATABASE_URL", "postgresql://user:secret@host"),
        ("DATABASE_URL", "postgresql://user:secret@host:port/name"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("STORAGE_URL", "nonsense"),
        ("STORAGE_URL", "ftp://user:secret@host/name"),
        ("STORAGE_URL", "s3:bucket"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "for ever"),
    ],
)
def test_bad_place_or_age_is_named_without_its_password(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()) as raised:
        Settings()
    assert [error for error in raised.value.errors() if "secret" in error["msg"]] == []


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgres_can_be_shared_however_it_is_spelled(scheme):
    assert Settings(database_url=f"{scheme}://user:p%40ss@host/name").shared()


@pytest.mark.parametrize("url", [None, "sqlite:///works.db", "sqlite+aiosqlite:////tmp/works.db"])
def test_sqlite_cannot_be_shared(url):
    assert not Settings(database_url=url).shared()


def test_the_file_of_a_database_is_known(tmp_path):
    assert Settings().sqlite_file() == tmp_path / "data" / "impresario.db"
    assert Settings(database_url="sqlite:///works.db").sqlite_file() == tmp_path / "works.db"


def test_nothing_is_deleted_by_age_unless_asked_for():
    assert Settings().retention_days is None


def test_settings_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Settings().port = 1


def test_everything_lies_in_the_data_directory_by_default(tmp_path):
    settings = Settings(data_dir=Path("my data"))
    assert settings.directory() == tmp_path / "my data"
    assert settings.sql_url() == f"sqlite:///{tmp_path}/my data/impresario.db"
    assert settings.store_url() == (tmp_path / "my data" / "assets").as_uri()


def test_home_is_expanded(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings(data_dir=Path("~/works")).directory() == tmp_path / "works"


def test_urls_go_before_the_data_directory():
    settings = Settings(database_url="postgresql://db/impresario", storage_url="s3://bucket/works")
    assert settings.sql_url() == "postgresql://db/impresario"
    assert settings.store_url() == "s3://bucket/works"


def test_each_modality_has_its_deadline():
    settings = Settings(image_deadline_s=1, video_deadline_s=2, speech_deadline_s=3)
    assert [settings.deadline_s(modality) for modality in ("image", "video", "speech")] == [1, 2, 3]


def test_process_may_only_answer():
    assert (Settings().max_running, Settings(max_running=0).max_running) == (500, 0)


# ---- how much a vendor is asked for ----------------------------------------------------------------------------------


def test_no_lane_has_a_limit_of_ours_by_default():
    assert Settings().concurrency() == {}


@pytest.mark.parametrize(
    "text", ["runway.video=3,openai.image=5", " runway.video = 3 , openai.image=5 ", "runway.video=3,,openai.image=5,"]
)
def test_lanes_are_named_with_their_number(monkeypatch, text):
    monkeypatch.setenv("VENDOR_CONCURRENCY", text)
    assert Settings().concurrency() == {"runway.video": 3, "openai.image": 5}


@pytest.mark.parametrize(
    "text", ["runway=3", "runway.video", "runway.video=0", "runway.film=3", "runway.video=-1", "a.chat=1;b.chat=2"]
)
def test_lane_that_is_none_is_told_with_an_example(monkeypatch, text):
    monkeypatch.setenv("VENDOR_CONCURRENCY", text)
    with pytest.raises(ValidationError, match=r"is not vendor\.modality=number, for example runway\.video=3"):
        Settings()


# ---- who may ask -----------------------------------------------------------------------------------------------------


def test_anonymous_clients_are_allowed_by_name_only(monkeypatch):
    monkeypatch.setenv("ALLOW_ANONYMOUS", "true")
    assert not Settings().loopback_only()


# ---- the families' environment ---------------------------------------------------------------------------------------


def test_keys_come_from_the_environment_before_the_env_file(monkeypatch):
    Path(".env").write_text("OPENAI_API_KEY=from-file\nREPLICATE_API_TOKEN=r8\n")
    monkeypatch.setenv("OPENAI_API_KEY", "from-environment")
    found = read_environment()
    assert (found["OPENAI_API_KEY"], found["REPLICATE_API_TOKEN"]) == ("from-environment", "r8")


def test_empty_variable_does_not_hide_the_env_file(monkeypatch):
    Path(".env").write_text("OPENAI_API_KEY=from-file\nRUNWAYML_API_SECRET=\n")
    monkeypatch.setenv("OPENAI_API_KEY", "")
    found = read_environment()
    assert found["OPENAI_API_KEY"] == "from-file"
    assert "RUNWAYML_API_SECRET" not in found


def test_missing_env_file_is_no_error(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk")
    assert read_environment(Path("nowhere"))["OPENAI_API_KEY"] == "sk"


def test_reading_the_env_file_changes_no_environment(monkeypatch):
    monkeypatch.delenv("REPLICATE_API_TOKEN", raising=False)
    Path(".env").write_text("REPLICATE_API_TOKEN=r8\n")
    read_environment()
    assert "REPLICATE_API_TOKEN" not in os.environ
