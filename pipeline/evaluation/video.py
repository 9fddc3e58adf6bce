"""One annotation or prediction file as arrays, and how a fault in it is named."""

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


def refuse_unless_finite(values: Float64[np.ndarray, " n *rest"], path: Path, *, frames: list[str], field: str) -> None:
    """Stop at the first row of `values` that holds NaN or infinity; `frames` names each row's frame."""
    wrong = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        got = values[row][~np.isfinite(values[row])][0]
        refuse(path, frames[row], field=field, problem=f"got {got}, wanted finite numbers")
