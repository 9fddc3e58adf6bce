"""A random network with supporting frames on either side, a causal one, and a single-frame one; boxes of one person."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dsn import checkpoint
from dsn.checkpoint import Loaded
from dsn.network import build, build_single_frame
from dsn.skeleton import POSETRACK
from tests.world.networks import model_config


def random_network(*, offsets: tuple[int, ...] = (-2, -1, 1, 2)) -> Loaded:
    """A network whose weights come from a seed."""
    torch.manual_seed(0)
    config = model_config(clip={"offsets": list(offsets)})
    return Loaded(network=build(config, POSETRACK).eval(), config=config, skeleton=POSETRACK)


def save(loaded: Loaded, folder: Path) -> Path:
    checkpoint.save(folder, loaded.network, config=loaded.config, skeleton=loaded.skeleton)
    return folder


@pytest.fixture(scope="session")
def network() -> Loaded:
    """With two supporting frames on either side."""
    return random_network()


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory, network: Loaded) -> Path:
    """That network's folder."""
    return save(network, tmp_path_factory.mktemp("dual"))


@pytest.fixture(scope="session")
def causal_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one that looks back alone."""
    return save(random_network(offsets=(-2, -1)), tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="session")
def single_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a single-frame network."""
    torch.manual_seed(0)
    config = model_config()
    network = build_single_frame(config, POSETRACK).eval()
    return save(Loaded(network=network, config=config, skeleton=POSETRACK), tmp_path_factory.mktemp("single"))


def _named(frame: float, videos: tuple[str, ...]) -> list[dict[str, Any]]:
    """How a frame is named in each video; by its number where none is given."""
    return [{"image_name": f"{one}/{frame:06.0f}.png"} for one in videos] or [{"image_id": int(frame)}]


@pytest.fixture
def write_boxes(tmp_path: Path) -> Callable[..., Path]:
    """Writes detections, given as (frame, x, y, width, height), as mmpose does; those in several videos by name."""

    def write(*rows: tuple[float, ...], videos: tuple[str, ...] = ()) -> Path:
        entries: list[dict[str, Any]] = [
            {**named, "bbox": list(xywh), "category_id": 1, "score": 0.9}
            for frame, *xywh in rows
            for named in _named(frame, videos)
        ]
        (tmp_path / "boxes.json").write_text(json.dumps(entries))
        return tmp_path / "boxes.json"

    return write
