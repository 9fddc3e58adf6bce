"""A drawn world, small enough to be drawn in every test run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import draw_dataset


def tiny_config() -> DrawConfig:
    """Three training videos of 12 frames and two validation videos of 16, at 120 x 200 pixels."""
    return DrawConfig(
        seed=0,
        train_videos=3,
        val_videos=2,
        train_frames=12,
        val_frames=16,
        labeled_frames=8,
        val_label_step=4,
        size=(120, 200),
        fps=25.0,
        people=(2, 3),
        person_height=(50.0, 95.0),
        occluders=(0, 2),
        crowd=0.5,
        shutter=0.5,
        subframes=2,
        jpeg_quality=90,
        workers=1,
    )


def draw_world(root: Path, **changes: Any) -> Path:
    """Draw the tiny dataset, with changes to its config, into the new folder `root`; gives the folder."""
    draw_dataset(root, replace(tiny_config(), **changes))
    return root
