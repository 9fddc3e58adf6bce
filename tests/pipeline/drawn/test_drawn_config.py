import dataclasses
import importlib
from typing import Any

import pytest

from pipeline.drawn.config import DrawConfig


@pytest.fixture
def tiny() -> DrawConfig:
    config: DrawConfig = importlib.import_module("tests.world.drawn").tiny_config()
    return config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_videos": 0}, "train_videos: got 0, wanted at least 1"),
        ({"people": (5, 2)}, r"people: got \(5, 2\), wanted the lower value first"),
        ({"size": (16, 640)}, r"size: got \(16, 640\), wanted at least 32"),
        ({"val_frames": 3}, "val_frames: got 3, wanted labeled_frames=8 or more"),
        ({"shutter": 1.5}, "shutter: got 1.5, wanted at most 1"),
        ({"jpeg_quality": 101}, "jpeg_quality: got 101, wanted at most 100"),
    ],
)
def test_an_impossible_number_is_refused_by_name(tiny: DrawConfig, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(tiny, **change)
