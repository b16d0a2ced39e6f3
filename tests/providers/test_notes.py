"""What the vendors say of their models today: asked for once a day, kept, and put before the TOML's word."""

import datetime as dt
import json
from pathlib import Path

import pytest

from providers.base import Family
from providers.catalogue import Catalogue, Correction, Model
from providers.errors import Unanswered
from providers.http import Http
from providers.registry import Registry

pytestmark = pytest.mark.anyio

TODAY = dt.date(2026, 11, 20)
ROWS = (
    Model(id="old", vendor="acme", modality="image", successor="new", limits={"n_max": 1, "formats": ["png"]}),
    Model(id="new", vendor="acme", modality="image", status="deprecated", shutdown=dt.date(2027, 6, 1)),
    Model(id="dead", vendor="acme", modality="image", status="retired", shutdown=dt.date(2026, 1, 1)),
    Model(id="voice", vendor="acme", modality="speech", capabilities=("tts",), limits={"voices": ["Ada", "nova"]}),
    Model(id="any-voice", vendor="acme", modality="speech", capabilities=("tts",)),
)


def corrected(**said: object) -> Catalogue:
    return Catalogue(ROWS, today=lambda: TODAY).corrected({"acme": Correction.model_validate(said)})


def row(catalogue: Catalogue, model_id: str) -> Model:
    model = catalogue.get(f"acme/{model_id}")
    assert model is not None
    return model


# ---- the catalogue ---------------------------------------------------------------------------------------------------


def test_vendor_that_says_nothing_changes_nothing():
    assert corrected().models == ROWS


def test_shutdown_goes_before_the_tomls():
    old = row(corrected(shutdowns={"old": "2027-01-14", "unheard-of": "2027-01-14"}), "old")
    assert (old.shutdown, old.status, old.retired(TODAY)) == (dt.date(2027, 1, 14), "deprecated", False)


def test_model_that_is_gone_is_served_by_its_successor():
    chosen = corrected(gone=["old"]).choose("image", "old")
    assert chosen.model.id == "new"
    assert chosen.warnings == ("old was retired by its vendor; new was used instead.",)


def test_model_that_went_before_its_day_is_said_to_be_gone_without_a_date():
    new = row(corrected(gone=["new"]), "new")
    assert (new.status, new.shutdown) == ("retired", None)


def test_list_without_any_living_model_is_not_believed():
    assert corrected(gone=["old", "new", "voice", "any-voice"]).models == ROWS


def test_limits_replace_those_of_the_same_name():
    assert row(corrected(limits={"old": {"n_max": 4}}), "old").limits == {"n_max": 4, "formats": ["png"]}


def test_accounts_voices_are_listed_where_voices_are():
    catalogue = corrected(voices={"Ada": "v1", "Grace": "v2"})
    assert row(catalogue, "voice").limits["voices"] == ["Ada", "nova", "Grace"]
    assert row(catalogue, "any-voice").limits == {}
    assert row(catalogue, "old") == ROWS[0]


# ---- asking ----------------------------------------------------------------------------------------------------------


class Silent(Family):
    name = "silent"


def acme(*words: Correction | Exception | None) -> type[Family]:
    """A family whose vendor says these words, one each time it is asked."""
    script = iter(words)

    class Acme(Family):
        name = "acme"
        key_names = ("ACME_KEY",)
        base_url_name = "ACME_BASE_URL"
        default_base_url = "https://api.acme.test/v1"
        models = ROWS
        voices = {"nova": "v9"}

        async def refresh(self) -> Correction:
            word = next(script)
            if isinstance(word, Exception):
                raise word
            return word  # type: ignore[return-value]

    return Acme


def opened(kind: type[Family], **environment: str) -> Registry:
    return Registry.open({"ACME_KEY": "a", **environment}, Http(), [kind, Silent])


GONE = Correction(gone=("old",))


def is_gone(registry: Registry) -> bool:
    return row(registry.catalogue, "old").status == "retired"


async def test_vendors_word_goes_into_the_catalogue():
    registry = opened(acme(GONE))
    assert not is_gone(registry)
    await registry.refresh()
    assert is_gone(registry)


async def test_limits_go_into_the_family_which_goes_on_asking_about_every_row():
    registry = opened(acme(Correction(gone=("old",), limits={"old": {"n_max": 2}})))
    await registry.refresh()
    row = registry.family("acme").row("old")
    assert (row.limits["n_max"], row.status) == (2, "live")


async def test_word_is_kept_and_not_asked_for_again_within_a_day(tmp_path: Path):
    await opened(acme(GONE)).refresh(tmp_path / "models.json")
    registry = opened(acme())
    await registry.refresh(tmp_path / "models.json")
    assert is_gone(registry)


async def test_kept_word_can_be_recalled_without_asking(tmp_path: Path):
    await opened(acme(GONE)).refresh(tmp_path / "models.json")
    registry = opened(acme())
    registry.recall(tmp_path / "models.json")
    assert is_gone(registry)


def aged(file: Path, **age: int) -> None:
    """Turn back the clock of a kept word."""
    kept = json.loads(file.read_text())
    kept["acme"]["at"] = (dt.datetime.now(dt.UTC) - dt.timedelta(**age)).isoformat()
    file.write_text(json.dumps(kept))


async def test_word_of_yesterday_is_asked_for_again(tmp_path: Path):
    file = tmp_path / "models.json"
    await opened(acme(GONE)).refresh(file)
    aged(file, hours=25)
    registry = opened(acme(Correction()))
    await registry.refresh(file)
    assert not is_gone(registry)


@pytest.mark.parametrize(("days", "holds"), [(6, True), (8, False)])
async def test_vendor_that_does_not_answer_is_believed_for_a_week(tmp_path: Path, caplog, days, holds):
    file = tmp_path / "models.json"
    await opened(acme(GONE)).refresh(file)
    aged(file, days=days)
    registry = opened(acme(Unanswered("acme gave no answer.")))
    await registry.refresh(file)
    assert is_gone(registry) is holds
    assert "acme gave no answer" in caplog.text


@pytest.mark.parametrize("word", [Unanswered("no"), RuntimeError(), None])
async def test_vendor_that_fails_to_tell_changes_nothing(tmp_path: Path, word):
    registry = opened(acme(word))
    await registry.refresh(tmp_path / "models.json")
    assert registry.catalogue.models == ROWS


async def test_word_to_another_account_is_not_ours(tmp_path: Path):
    await opened(acme(GONE)).refresh(tmp_path / "models.json")
    registry = opened(acme(Correction()), ACME_KEY="b")
    await registry.refresh(tmp_path / "models.json")
    assert not is_gone(registry)


async def test_kept_word_holds_no_key(tmp_path: Path):
    await opened(acme(GONE), ACME_KEY="secret-1").refresh(tmp_path / "models.json")
    assert "secret-1" not in (tmp_path / "models.json").read_text()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"acme": {"at": "yesterday"}}'])
async def test_file_that_cannot_be_read_is_no_word(tmp_path: Path, text):
    (tmp_path / "models.json").write_text(text)
    registry = opened(acme(GONE))
    await registry.refresh(tmp_path / "models.json")
    assert is_gone(registry)


async def test_folder_that_cannot_be_written_is_harmless(tmp_path: Path):
    registry = opened(acme(GONE))
    await registry.refresh(tmp_path / "nowhere" / "models.json")
    assert is_gone(registry)


async def test_gateway_is_not_asked_for_the_vendors_models():
    registry = opened(acme(), ACME_BASE_URL="http://127.0.0.1:9/v1")
    await registry.refresh()
    assert registry.catalogue.models == ROWS


async def test_family_without_its_key_is_not_asked():
    registry = Registry.open({}, Http(), [acme()])
    await registry.refresh()
    assert registry.catalogue.models == ROWS


async def test_accounts_voice_goes_on_the_wire_as_the_vendor_knows_it():
    registry = opened(acme(Correction(voices={"Grace": "v2", "nova": "v3"})))
    await registry.refresh()
    family = registry.family("acme")
    spoken = [family.voice_for(family.row("voice"), voice) for voice in ("Grace", "v2", "nova", "Ada")]
    assert spoken == ["v2", "v2", "v9", "Ada"]


async def test_second_word_replaces_the_first(tmp_path: Path):
    file = tmp_path / "models.json"
    registry = opened(acme(GONE, Correction(limits={"old": {"n_max": 2}})))
    await registry.refresh(file)
    aged(file, hours=25)
    registry.recall(file)
    await registry.refresh(file)
    assert row(registry.catalogue, "old").limits["n_max"] == 2
    assert not is_gone(registry)
