"""One annotation or prediction file as arrays, and how a fault in it is named."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from jaxtyping import Float64, Int64

from pipeline.evaluation.people import People
from pipeline.refusal import Refusal

MISSING_SCORE = -9999.0
"""What the official evaluator gives to a joint without a score."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """One file: its frames, and everybody in them."""

    path: Path
    frames: tuple[str, ...]
    """The name of each frame, for messages."""
    frame_ids: tuple[int, ...]
    """PoseTrack18's image ids; empty for PoseTrack17, which has none."""
    entries: Int64[np.ndarray, " f"]
    """Annotation entries per frame, with or without keypoints. In ground truth, frames that have none do not count."""
    people: People
    regions: dict[int, list[Float64[np.ndarray, "_ 2"]]]
    """Ignore regions by frame; a frame without an entry has none."""


def refuse(path: Path, frame: str, *, field: str, problem: str) -> NoReturn:
    """Stop, naming file, frame and field."""
    raise Refusal(f"{path}: frame {frame}: {field}: {problem}")


def refuse_unless_finite(
    values: Float64[np.ndarray, " n *rest"], path: Path, *, frame_of: Callable[[int], str], field: str
) -> None:
    """Stop at the first row of `values` that holds NaN or infinity; `frame_of` names a row's frame."""
    if np.isfinite(values).all():
        return
    row = int(np.flatnonzero(~np.isfinite(values).reshape(len(values), -1).all(axis=1))[0])
    got = values[row][~np.isfinite(values[row])].flat[0]
    refuse(path, frame_of(row), field=field, problem=f"got {got}, wanted finite numbers")
