from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from pipeline.refusal import Refusal
from pipeline.release.card import LONGEST, CardConfig, card, completed, edited, send
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import Version
from pipeline.tracking.server import connect

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

CONFIG = CardConfig(data="Drawn videos", licence="Apache-2.0", use="Trying out.", limits="No real person.")
TRAINED: dict[str, Any] = {
    "run_id": "r1",
    "samples": 6400,
    "best": {"step": 400.0, "select/pck_final": 81.25},
    "yardstick": {"name": "PCKh@0.5"},
    "tags": {
        "data.train": "d1",
        "manifest.train": "m1",
        "git.sha": "abc",
        "git.dirty": "false",
        "config": "{}",
        "device": "cpu",
        "hardware": "a processor, 2 cores",
    },
}
NETWORK = {"clip": {"offsets": [-2, -1, 1, 2]}, "input_size": [128, 96], "backbone": {"name": "vit"}}


def made(config: CardConfig = CONFIG) -> str:
    return card(config, name="dsn-pose", trained=TRAINED, network=NETWORK, joints=17)


def test_a_card_tells_data_licence_use_limits_hardware_and_hashes() -> None:
    text = made()

    for part in (
        "# dsn-pose\n\nFinds 17 joints of each person at the middle of 5 frames; crops of 128 x 96 pixels",
        "Drawn videos. Licence: Apache-2.0.",
        "run r1, 6400 samples; kept at step 400",
        "(PCKh@0.5): pck_final 81.2",
        "Hardware: a processor, 2 cores; cpu.",
        "Not yet: stages evaluate, stress and promote fill this in.",
        "Trying out. No real person.",
        "- data.train: d1\n- git.sha: abc\n- manifest.train: m1\n",
    ):
        assert part in text
    assert "git.dirty" not in text


def test_what_was_measured_takes_the_place_of_what_stood_there() -> None:
    once = completed(made(), measured="AP 50\n")
    twice = completed(once, measured="AP 60\n")

    assert "Not yet" not in once
    assert twice == once.replace("AP 50", "AP 60")


def test_an_edited_card_keeps_what_was_measured() -> None:
    new = made(replace(CONFIG, limits="Night."))

    assert edited(completed(made(), measured="AP 50\n\n- black: 1\n"), card=new) == completed(
        new, measured="AP 50\n\n- black: 1\n"
    )
    assert edited(made(), card=new) == new == edited("", card=new)
    assert edited("by hand", card=new) == "by hand"


def test_a_card_is_sent_again_if_it_is_another(tracking: TrackingConfig, version: Callable[[], Version]) -> None:
    added, client = version(), connect(tracking)
    client.update_model_version(tracking.model, added.version, completed(made(), measured="AP 50"))
    read = partial(client.get_model_version, tracking.model, added.version)
    before = read()

    send(tracking, added, made())
    assert read().last_updated_timestamp == before.last_updated_timestamp
    send(tracking, added, made(replace(CONFIG, licence="CC0-1.0")))

    text = str(read().description)
    assert text == str(before.description).replace("Apache-2.0", "CC0-1.0")
    assert "AP 50" in text


def test_a_text_that_is_no_card_stays_as_it_is() -> None:
    assert completed("by hand", measured="AP 50") == "by hand"


def test_a_card_never_outgrows_the_database_and_says_what_was_cut_off() -> None:
    long = completed(made(), measured="x" * LONGEST)

    assert len(long) <= LONGEST
    assert "x ... (cut off; promotion.json and the tags hold all of it)\n\n## Intended use" in long


def test_a_card_too_long_from_the_start_is_refused() -> None:
    tags = {f"data.{number}": "d" * 60 for number in range(80)}

    with pytest.raises(Refusal, match=r"card: got .* characters, wanted at most 5000"):
        card(CONFIG, name="m", trained=TRAINED | {"tags": tags}, network=NETWORK, joints=17)


@pytest.mark.parametrize("text", ["", "x" * 501])
def test_texts_that_say_nothing_or_too_much_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=f"limits: got {len(text)} characters, wanted 1 to 500"):
        replace(CONFIG, limits=text)
