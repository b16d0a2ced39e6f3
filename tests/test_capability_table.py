"""The README's table of vendors and what they can do is what the catalogue says."""

from providers.catalogue import Model
from tests.capability_table import COLUMNS, README, cell, table, written


def test_readme_shows_what_the_vendors_can_do_now():
    readme = README.read_text()
    assert written(readme) == readme, "run `make capabilities`"


def test_table_has_a_row_for_every_family_that_comes_along():
    rows = [line.split(" | ")[:2] for line in table().splitlines()]
    assert ["| `openai`", "`OPENAI_API_KEY`"] in rows
    assert rows[-1] == ["| `offline`", "-"]


def test_cell_tells_what_living_models_of_its_modality_can_do():
    words = {heading: words for heading, _, words in COLUMNS}["Video"]
    models = [
        Model(id="a", vendor="x", modality="video", capabilities=("image_to_video", "audio")),
        Model(id="b", vendor="x", modality="video", capabilities=("text_to_video",)),
        Model(id="c", vendor="x", modality="video", capabilities=("video_to_video",), status="retired"),
        Model(id="d", vendor="x", modality="image", capabilities=("reference_images",)),
    ]
    assert cell(models, "video", words) == "from text, from a picture"
