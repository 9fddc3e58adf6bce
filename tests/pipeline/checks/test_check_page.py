import re
import shutil
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from dsn.skeleton import POSETRACK
from pipeline.checks.page import render, sight, view
from pipeline.posetrack.index import PrepareConfig, build_index
from tests.world.checks import check_config

NOWHERE = np.zeros((0, 2))
NOBODY: dict[str, Any] = {"bbox": None, "keypoints": []}


class Reader(HTMLParser):
    """What of a page points elsewhere, which pictures have no words, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.wordless = 0
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.references += [str(values[name]) for name in ("href", "src") if name in values]
        self.wordless += tag in {"svg", "img"} and not values.get("aria-label")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def world(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drawn world with one image missing, and one cut in half."""
    root = shutil.copytree(drawn_world, tmp_path_factory.mktemp("spoilt") / "world")
    frames = sorted((root / "images/train/000001_mpii_train").iterdir())
    frames[5].unlink()
    frames[6].write_bytes(frames[6].read_bytes()[:2000])
    return root


@pytest.fixture(scope="module")
def findings(world: Path) -> dict[str, Any]:
    config = PrepareConfig(select_share=0.25, window=5, seed=0, checks=check_config(max_bad_share=0.0))
    return build_index(world, config)[1]


@pytest.fixture(scope="module")
def page(findings: dict[str, Any], world: Path) -> str:
    return render(findings, world, skeleton=POSETRACK)


def test_the_page_needs_nothing_but_itself(page: str) -> None:
    reader = Reader()
    reader.feed(page)

    assert [one for one in reader.references if not one.startswith(("#", "data:"))] == []
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", page)
    assert "<script" not in page
    assert reader.wordless == 0


def test_the_page_says_what_blocks_and_what_was_left_out(page: str, findings: dict[str, Any]) -> None:
    reader = Reader()
    reader.feed(page)
    text = " ".join(" ".join(reader.text).split())

    assert "1 thing blocks this dataset" in text
    assert findings["blocks"][0] in text
    assert "image is missing 1 frame yes images/train/000001_mpii_train/000005.jpg" in text
    assert "image is cut short 1 frame yes images/train/000001_mpii_train/000006.jpg" in text


def test_the_page_tells_no_folder_of_this_machine(page: str, world: Path) -> None:
    assert str(world.parent) not in page


def test_the_same_findings_give_the_same_page(page: str, findings: dict[str, Any], world: Path) -> None:
    assert render(findings, world, skeleton=POSETRACK) == page


def test_what_remains_of_a_cut_image_is_shown(world: Path) -> None:
    shot = NOBODY | {"file": "images/train/000001_mpii_train/000006.jpg"}

    cut = sight(shot, world, corners=NOWHERE, skeleton=POSETRACK)

    assert cut is not None
    assert cut.size == (120, 200)
    assert cut.data.startswith("data:image/jpeg;base64,")


def test_a_missing_image_is_told_without_a_picture(world: Path) -> None:
    shot = NOBODY | {"file": "images/train/000001_mpii_train/000005.jpg"}

    assert sight(shot, world, corners=NOWHERE, skeleton=POSETRACK) is None


def test_a_sight_shows_the_person_in_question(world: Path) -> None:
    shot = {
        "file": "images/train/000001_mpii_train/000000.jpg",
        "bbox": [10.0, 20.0, 60.0, 100.0],
        "keypoints": [[30.0, 40.0, 1.0], [30.0, 60.0, 1.0]] + [[0.0, 0.0, 0.0]] * 15,
    }

    found = sight(shot, world, corners=np.array([[10.0, 20.0], [60.0, 100.0]]), skeleton=POSETRACK)

    assert found is not None
    assert found.bbox == (10.0, 20.0, 50.0, 80.0)
    assert found.pose.joints == ((30.0, 40.0), (30.0, 60.0))
    assert found.pose.limbs == ((30.0, 40.0, 30.0, 60.0),)
    assert found.view == (0.0, 0.0, 200.0, 120.0)


def test_only_what_is_in_sight_is_put_into_the_page(world: Path) -> None:
    shot = NOBODY | {"file": "images/train/000001_mpii_train/000000.jpg"}

    found = sight(shot, world, corners=np.array([[95.0, 50.0], [105.0, 70.0]]), skeleton=POSETRACK)

    assert found is not None
    assert found.view == (50.0, 30.0, 100.0, 60.0)
    assert found.part == (50.0, 30.0, 100.0, 60.0)
    image = cv2.imdecode(np.frombuffer(b64decode(found.data.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert np.asarray(image).shape == (60, 100, 3)


@pytest.mark.parametrize(
    "corners", [[[500.0, 20.0], [600.0, 90.0]], [[-90.0, 20.0], [-60.0, 90.0]], [[20.0, -200.0], [60.0, -150.0]]]
)
def test_somebody_beyond_the_frame_is_shown_beside_its_edge(corners: list[list[float]], world: Path) -> None:
    shot = {"file": "images/train/000001_mpii_train/000000.jpg", "bbox": [*corners[0], *corners[1]], "keypoints": []}

    found = sight(shot, world, corners=np.array(corners), skeleton=POSETRACK)

    assert found is not None
    assert min(found.part[2:]) >= 1.0


def test_with_nobody_in_question_the_frame_is_shown() -> None:
    assert view(NOWHERE, size=(100, 200)) == (0.0, 0.0, 200.0, 100.0)


def test_a_small_person_is_shown_from_near_and_within_the_frame() -> None:
    assert view(np.array([[100.0, 50.0], [110.0, 60.0]]), size=(100, 200)) == (75.0, 40.0, 60.0, 30.0)
    assert view(np.array([[0.0, 0.0], [10.0, 10.0]]), size=(100, 200)) == (0.0, 0.0, 60.0, 30.0)


def test_the_view_reaches_beyond_the_frame_to_what_lies_outside() -> None:
    assert view(np.array([[-20.0, 10.0], [50.0, 60.0]]), size=(100, 200)) == (-20.0, 0.0, 220.0, 100.0)
    assert view(np.array([[210.0, 130.0], [0.0, 0.0]]), size=(100, 200)) == (0.0, 0.0, 210.0, 130.0)


def test_the_view_ends_half_a_frame_beyond_the_frame() -> None:
    assert view(np.array([[-5e5, -5e5], [5e5, 5e5]]), size=(100, 200)) == (-100.0, -50.0, 400.0, 200.0)
