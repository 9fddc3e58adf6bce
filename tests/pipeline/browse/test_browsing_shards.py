import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from pipeline import params
from pipeline.__main__ import app
from pipeline.artifacts import read_json
from pipeline.browse.browse import FPS, HELD, browse
from pipeline.browse.clips import Choice, Shown, Variation, read_clips
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import ReaderConfig, evaluation_batches, training_batches
from tests.world.clips import SIZE, pack

ROOT = Path(__file__).parents[3]
SOME = Choice(keys=(), number=3, seed=5)


class References(HTMLParser):
    """What a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag != "script"
        self.found += [str(value) for name, value in attrs if name in {"href", "src"}]


@pytest.fixture(scope="module")
def shards(drawn_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of the drawn world; read them only."""
    return pack(drawn_world, tmp_path_factory.mktemp("browsed"))


@pytest.fixture(scope="module")
def reader() -> ReaderConfig:
    """The default way of reading in training, in one process."""
    config = params.load(ROOT / "params.yaml", "reader", into=ReaderConfig)
    return dataclasses.replace(config, workers=0, prefetch=0)


def shown(folder: Path, choice: Choice, variation: Variation | None = None) -> list[Shown]:
    return list(read_clips(folder, read_manifest(folder), choice, variation=variation))


def test_what_is_shown_is_what_evaluation_gets(shards: Path) -> None:
    every = ClipBatches(list(evaluation_batches(shards / "val", input_size=SIZE, batch_size=7)))

    for clip in shown(shards / "val", Choice(keys=(), number=5, seed=0)):
        frames, points, visible = every.of(clip.sample.key)
        assert np.array_equal(clip.frames, frames)
        assert np.allclose(clip.points, points)
        assert np.array_equal(clip.supervised, visible)


def test_what_is_shown_augmented_is_what_training_gets(shards: Path, reader: ReaderConfig) -> None:
    batches = training_batches(
        shards / "train", reader, input_size=SIZE, batch_size=4, seed=7, epoch=2, rank=0, world=1
    )
    every = ClipBatches(list(batches))
    variation = Variation(augment=reader.augment, seed=7, epoch=2)

    for clip in shown(shards / "train", Choice(keys=every.keys[:5], number=0, seed=0), variation):
        frames, points, visible = every.of(clip.sample.key)
        assert np.array_equal(clip.frames, frames)
        assert np.allclose(clip.points, points)
        assert np.array_equal(clip.supervised, visible)


class ClipBatches:
    """Batches, looked into by key."""

    def __init__(self, batches: list[ClipBatch]) -> None:
        self._batches = batches
        self.keys = tuple(key for batch in batches for key in batch.keys)

    def of(self, key: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Frames (T, H, W, 3), keypoints and what is supervised."""
        batch = next(batch for batch in self._batches if key in batch.keys)
        place = batch.keys.index(key)
        return batch.frames[place].permute(0, 2, 3, 1), batch.keypoints[place], batch.visible[place]


def test_the_seed_decides_which_clips_are_drawn_and_nobody_is_drawn_twice(shards: Path) -> None:
    keys = {
        seed: [clip.sample.key for clip in shown(shards / "val", Choice(keys=(), number=8, seed=seed))]
        for seed in (0, 1)
    }

    assert keys[0] == [clip.sample.key for clip in shown(shards / "val", Choice(keys=(), number=8, seed=0))]
    assert len(set(keys[0])) == 8
    assert keys[0] != keys[1]


def test_more_clips_than_there_are_gives_all(shards: Path) -> None:
    manifest = read_manifest(shards / "select")

    assert len(shown(shards / "select", Choice(keys=(), number=10_000, seed=0))) == manifest.samples


def test_keys_are_shown_in_the_order_in_which_they_are_given(shards: Path) -> None:
    keys = tuple(reversed([clip.sample.key for clip in shown(shards / "train", SOME)]))

    found = shown(shards / "train", Choice(keys=keys, number=1, seed=0))

    assert tuple(clip.sample.key for clip in found) == keys


def test_a_key_that_is_in_no_shard_is_refused_with_one_that_is(shards: Path) -> None:
    first = read_manifest(shards / "val").shards[0].first_key

    with pytest.raises(Refusal, match=rf"got no sample nobody, wanted a key such as {first}"):
        shown(shards / "val", Choice(keys=("nobody",), number=1, seed=0))


def test_a_folder_without_shards_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="wanted a folder of shards"):
        browse(tmp_path, tmp_path / "out", SOME, variation=None)


def test_a_folder_in_use_is_left_alone(shards: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")

    with pytest.raises(Refusal, match="wanted a new or an empty one"):
        browse(shards / "val", tmp_path, SOME, variation=None)

    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_pictures_a_video_and_a_page_are_written(shards: Path, tmp_path: Path) -> None:
    count = browse(shards / "val", tmp_path / "out", Choice(keys=(), number=9, seed=0), variation=None)

    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert count == 9
    assert names == ["clips.mp4", "config.json", "grid-000.png", "grid-001.png", "index.html"]
    shapes = [np.asarray(cv2.imread(str(tmp_path / "out" / name))).shape for name in names[2:4]]
    assert shapes == [(6 + 8 * 262, 6 + 5 * 198, 3), (6 + 262, 6 + 5 * 198, 3)]


def test_what_was_in_force_stands_beside_the_pages(shards: Path, reader: ReaderConfig, tmp_path: Path) -> None:
    browse(shards / "train", tmp_path / "plain", SOME, variation=None)
    browse(shards / "train", tmp_path / "varied", SOME, variation=Variation(augment=reader.augment, seed=7, epoch=2))

    plain, varied = (read_json(tmp_path / name / "config.json") for name in ("plain", "varied"))
    assert plain == {"shards": str(shards / "train"), "choice": {"keys": [], "number": 3, "seed": 5}}
    assert varied == plain | {
        "variation": {"augment": json.loads(json.dumps(dataclasses.asdict(reader.augment))), "seed": 7, "epoch": 2}
    }


def test_the_video_is_vp9_in_mp4_and_shows_each_time_once_and_holds_the_keyframe(shards: Path, tmp_path: Path) -> None:
    browse(shards / "val", tmp_path / "out", SOME, variation=None)

    video = cv2.VideoCapture(str(tmp_path / "out" / "clips.mp4"))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames == 4 + HELD
    assert video.get(cv2.CAP_PROP_FPS) == FPS
    assert int(video.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little") == b"VP90"
    video.release()
    assert (tmp_path / "out" / "clips.mp4").read_bytes()[4:8] == b"ftyp"


def test_the_page_refers_to_nothing_but_what_lies_beside_it(shards: Path, tmp_path: Path) -> None:
    browse(shards / "val", tmp_path / "out", SOME, variation=None)
    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")

    references = References()
    references.feed(page)
    outside = [one for one in references.found if not one.startswith("data:")]
    assert sorted(set(outside)) == ["clips.mp4", "grid-000.png"]
    assert all((tmp_path / "out" / one).is_file() for one in outside)
    assert "http" not in re.sub(r"base64,[A-Za-z0-9+/=]*", "", page)


def test_the_page_says_how_clips_were_varied(shards: Path, tmp_path: Path, reader: ReaderConfig) -> None:
    variation = Variation(augment=reader.augment, seed=11, epoch=4)

    browse(shards / "train", tmp_path / "out", SOME, variation=variation)

    page = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "3 clips, as training sees them" in page
    assert "Varied by seed 11 in epoch 4" in page


def test_the_verb_shows_the_samples_it_is_asked_for(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    key = read_manifest(shards / "train").shards[0].last_key
    arguments = ["browse", str(shards / "train"), "--out", str(tmp_path / "out"), "--key", key, "--augmented"]

    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == 0, result.output
    assert "index.html shows 1 clips" in result.output
    assert key in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")


def test_the_verb_tells_as_json_where_the_page_is(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    arguments = ["browse", str(shards / "val"), "--out", str(tmp_path / "out"), "--number", "2", "--json"]

    result = CliRunner().invoke(app, arguments)

    assert json.loads(result.stdout) == {"page": str(tmp_path / "out" / "index.html"), "clips": 2}


def test_browsing_changes_no_shard(shards: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in sorted((shards / "val").iterdir())}

    browse(shards / "val", tmp_path / "out", SOME, variation=None)

    assert {path: path.read_bytes() for path in sorted((shards / "val").iterdir())} == before
    assert read_json(shards / "val" / "manifest.json")["samples"] > 0
