"""A small dataset as an index with its images, and the shards made of it."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from dsn.skeleton import POSETRACK
from pipeline.posetrack.index import Index
from pipeline.shards.augment import AugmentConfig
from pipeline.shards.border import Views
from pipeline.shards.pack import pack_splits
from pipeline.shards.reader import ReaderConfig
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.shards.sample import ClipSample, make_key
from pipeline.shards.spoil import KINDS
from pipeline.shards.store import StoreConfig

HEIGHT, WIDTH = 60, 80
SPLITS = {"000001_a": "train", "000002_a": "train", "000003_a": "select", "000004_b": "val", "000005_b": "val"}
FRAMES = 7
VIEWS = Views(rotation=0.0, rotation_probability=0.0, scale=0.0, shift=0.25)


def recipe_of(**changes: Any) -> Recipe:
    """Crops of 32 x 24 with a border of 8, clips of five frames, at least four shards."""
    settings: dict[str, Any] = {
        "coverage": 1.0, "quality": 95, "reach": 4, "samples_per_shard": 100, "min_shards": 4, "seed": 0,
    }  # fmt: skip
    return Recipe(shard=ShardConfig(**(settings | changes)), input_size=(32, 24), offsets=(-2, -1, 1, 2), views=VIEWS)


def sample_of(**changes: Any) -> ClipSample:
    """All scored joints labelled on a diagonal of the bbox (100, 200, 140, 260)."""
    keypoints = tuple(
        (102.0 + 2 * joint, 203.0 + 3 * joint, 1.0) if joint in POSETRACK.scored else (0.0, 0.0, 0.0)
        for joint in range(17)
    )
    values: dict[str, Any] = {
        "video": "000001_a",
        "frame": 2,
        "frame_id": 10_000_010_002,
        "person": 0,
        "track_id": 4,
        "keypoints": keypoints,
        "bbox": (100.0, 200.0, 140.0, 260.0),
        "neighbour_bbox": None,
        "head_size": 6.0,
        "to_source": ((1.0, 0.0, 80.0), (0.0, 1.0, 180.0)),
        "frames_used": (0, 1, 2, 3, 4),
    }
    values |= changes
    key = make_key(values["video"], frame=values["frame"], person=values["person"])
    return ClipSample(key=key, **values)


def draw_index(root: Path) -> Index:
    """Five videos of seven labelled frames with two people each; frame n is grey 20 + 30 n, people are squares.

    Person p of video v stands at (10 + 30 p + 2 n, 20); his joints lie on its diagonal.
    """
    frames, people = [], []
    for number, (video, split) in enumerate(SPLITS.items(), start=1):
        for frame in range(FRAMES):
            file = f"images/{video}/{frame:06d}.png"
            (root / file).parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(root / file), np.full((HEIGHT, WIDTH, 3), 20 + 30 * frame, dtype=np.uint8))
            frame_id = 10_000_000_000 + 10_000 * number + frame
            frames.append((video, frame, frame_id, file, True, split, HEIGHT, WIDTH))
            people += [_person(video, frame, frame_id, person) for person in (0, 1)]
    videos = [
        (video, "train" if split == "select" else split, FRAMES, FRAMES, HEIGHT, WIDTH)
        for video, split in SPLITS.items()
    ]
    columns = ["video", "frame", "frame_id", "file", "is_labeled", "split", "height", "width"]
    return Index(
        videos=pd.DataFrame(videos, columns=["video", "split", "frames", "labeled_frames", "height", "width"]),
        frames=pd.DataFrame(frames, columns=columns),
        people=pd.DataFrame(people),
        skeleton=POSETRACK,
    )


def _person(video: str, frame: int, frame_id: int, person: int) -> dict[str, Any]:
    left, top = 10.0 + 30 * person + 2 * frame, 20.0
    keypoints = np.zeros((17, 3), dtype=np.float32)
    scored = list(POSETRACK.scored)
    keypoints[scored] = [(left + joint, top + joint, 1) for joint in scored]
    return {
        "video": video,
        "frame": frame,
        "frame_id": frame_id,
        "person": person,
        "track_id": 7 + person,
        "person_id": None,
        "score": None,
        "bbox": np.array([left, top, left + 16, top + 16], dtype=np.float32),
        "head_bbox": np.array([left, top, left + 3, top + 4], dtype=np.float32),
        "keypoints": keypoints.ravel(),
        "occluded": (None,) * len(keypoints),
    }


def augment_of(**changes: Any) -> AugmentConfig:
    """No variation but what is asked for."""
    values: dict[str, Any] = {field.name: 0.0 for field in fields(AugmentConfig)}
    return AugmentConfig(**(values | {"keyframe_kinds": KINDS} | changes))


def store_of(cache: Path, **changes: Any) -> StoreConfig:
    """A cache of a megabyte; what cannot be read is asked for twice, with hardly a pause."""
    values: dict[str, Any] = {"cache": str(cache), "cache_gib": 1 / 1024, "tries": 2, "wait": 0.01}
    return StoreConfig(**(values | changes))


@pytest.fixture
def make_sample() -> Callable[..., ClipSample]:
    """`sample_of`."""
    return sample_of


@pytest.fixture
def make_recipe() -> Callable[..., Recipe]:
    """`recipe_of`."""
    return recipe_of


@pytest.fixture
def make_augment() -> Callable[..., AugmentConfig]:
    """`augment_of`."""
    return augment_of


@pytest.fixture
def make_reader() -> Callable[..., ReaderConfig]:
    """A reader without augmentation, in process, that shuffles 8 records and does without none."""

    def make(*, workers: int = 0, prefetch: int = 0, max_bad_share: float = 0.0, **augment: Any) -> ReaderConfig:
        return ReaderConfig(
            workers=workers,
            prefetch=prefetch,
            shuffle=8,
            max_bad_share=max_bad_share,
            augment=augment_of(**augment),
            store=store_of(Path("unused")),
        )

    return make


@pytest.fixture
def make_store() -> Callable[..., StoreConfig]:
    """`store_of`."""
    return store_of


@pytest.fixture
def index(tmp_path: Path) -> Index:
    """The dataset of `draw_index`, its images below `tmp_path`."""
    return draw_index(tmp_path)


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shards of that dataset: 28 samples in train, 14 in select, 28 in val. Not to be changed."""
    root = tmp_path_factory.mktemp("packed")
    pack_splits(draw_index(root), root, root / "shards", recipe_of(), run=map)
    return root / "shards"
