"""Clips of the drawn world for the tests of evaluation: packed shards, tiny networks, and one batch made by hand."""

from pathlib import Path
from typing import Any

import torch

from dsn.config import ModelConfig
from pipeline.posetrack.boxes import BoxesConfig
from pipeline.posetrack.index import PrepareConfig, prepare, read_index
from pipeline.shards.batch import ClipBatch
from pipeline.shards.border import Views
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe, ShardConfig
from pipeline.shards.sample import ClipSample, make_key
from tests.world import networks
from tests.world.checks import check_config

OFFSETS = (-2, -1, 1, 2)
SIZE = (64, 48)


def model_config() -> ModelConfig:
    """A network of a few thousand weights."""
    return networks.model_config(
        input_size=list(SIZE),
        clip={"offsets": list(OFFSETS)},
        backbone={"width": 16},
        encoder={"mlp_ratio": 1, "divided_blocks": 0, "temporal_positions": "sincos"},
        visual={"mlp_ratio": 1},
        head={"width": 8},
    )


def prepared(root: Path, out: Path, *, boxes: BoxesConfig | None = None) -> Path:
    """The index of the dataset at `root`."""
    config = PrepareConfig(select_share=0.3, window=5, seed=0, checks=check_config(max_bad_share=0.5))
    prepare(root, out, config, boxes=boxes)
    return out


def pack(root: Path, folder: Path, *, boxes: BoxesConfig | None = None) -> Path:
    """Index and shards of the dataset at `root`, as folders `index`, `train`, `select` and `val` of `folder`."""
    prepared(root, folder / "index", boxes=boxes)
    shard = ShardConfig(coverage=0.99, quality=90, reach=4, samples_per_shard=40, min_shards=2, seed=0)
    views = Views(rotation=10.0, rotation_probability=0.2, scale=0.1, shift=0.05)
    recipe = Recipe(shard=shard, input_size=SIZE, offsets=OFFSETS, views=views)
    pack_splits(read_index(folder / "index"), root, folder, recipe, run=map)
    return folder


def sample(person: int = 0, **changes: Any) -> ClipSample:
    """Somebody in the sixth frame of a video, in a bbox of 40 x 60 source pixels."""
    values: dict[str, Any] = {
        "key": make_key("video", frame=5, person=person),
        "video": "video",
        "frame": 5,
        "frame_id": 1005,
        "person": person,
        "track_id": person,
        "keypoints": ((0.0, 0.0, 0.0),) * 17,
        "bbox": (10.0, 20.0, 50.0, 80.0),
        "neighbour_bbox": (10.0, 20.0, 50.0, 80.0),
        "head_size": 10.0,
        "to_source": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        "frames_used": (3, 4, 5, 6, 7),
    }
    return ClipSample(**(values | changes))


def batch(count: int = 2) -> ClipBatch:
    """Clips of noise; frame t is brighter than the one before, and every joint is in the middle."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 100, (count, 5, 3, *SIZE), generator=generator)
    samples = tuple(sample(person) for person in range(count))
    return ClipBatch(
        keys=tuple(one.key for one in samples),
        frames=(noise + 30 * torch.arange(5)[:, None, None, None]).to(torch.uint8),
        keypoints=torch.tensor([SIZE[1] / 2, SIZE[0] / 2]).expand(count, 17, 2),
        visible=torch.ones(count, 17, dtype=torch.bool),
        to_source=torch.tensor([[2.0, 0.0, 100.0], [0.0, 2.0, 200.0]]).expand(count, 2, 3),
        head_size=torch.full((count,), 10.0),
        bbox_size=torch.full((count,), 30.0),
        is_spoilt=torch.zeros(count, dtype=torch.bool),
        samples=samples,
    )
