"""Pictures of degraded keyframes with every method's pose, for the report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, UInt8
from torch import Tensor

from pipeline.artifacts import write_json
from pipeline.evaluation.conditions import Condition
from pipeline.evaluation.degrade import Degradation, degraded
from pipeline.evaluation.kinds import Donors
from pipeline.evaluation.outcome import Outcome
from pipeline.shards.batch import ClipBatch
from pipeline.shards.crop import inverse, transform

QUALITY = 92
"""Of the JPEG files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A sample that is shown under one degradation."""

    key: str
    how: Degradation


def choose(keys: Sequence[str], degradations: Sequence[Degradation], *, count: int, seed: int) -> list[Example]:
    """Samples drawn by the seed, without a look at any result, the degradations in turn."""
    drawn = np.random.default_rng(seed).permutation(len(keys))[:count]
    return [
        Example(key=keys[row], how=degradations[turn % len(degradations)]) for turn, row in enumerate(drawn.tolist())
    ]


class Album:
    """Keeps the clips of the chosen examples while batches go by, and writes them in the end."""

    def __init__(self, folder: Path, examples: Sequence[Example], *, clip: tuple[int, ...], donors: Donors) -> None:
        """`clip` are the offsets of the T frames from the keyframe, `donors` the frames that may stand in."""
        self.folder, self.examples = folder, {example.key: example for example in examples}
        self.clip, self.donors = clip, donors
        self.entries: list[dict[str, Any]] = []
        folder.mkdir(parents=True, exist_ok=True)

    def look(self, batch: ClipBatch) -> None:
        """Write the pictures of the batch's examples."""
        for row, key in enumerate(batch.keys):
            if key in self.examples:
                frames = degraded(batch, self.examples[key].how, clip=self.clip, donors=self.donors)
                self.entries.append(self._entry(batch, row, frames[row, self.clip.index(0)]))

    def _entry(self, batch: ClipBatch, row: int, keyframe: UInt8[Tensor, "3 H W"]) -> dict[str, Any]:
        how, key = self.examples[batch.keys[row]].how, batch.keys[row]
        name = f"{key}-{how.kind}-{how.severity}"
        frames = [_save(self.folder / f"{name}-{time}.jpg", frame) for time, frame in enumerate(batch.frames[row])]
        visible = batch.visible[row].double()[:, None].numpy()
        return {
            "key": key,
            "kind": how.kind,
            "severity": how.severity,
            "image": _save(self.folder / f"{name}.jpg", keyframe),
            "frames": frames,
            "keyframe": self.clip.index(0),
            "head_size": None if batch.head_size[row].isnan() else float(batch.head_size[row]),
            "bbox_size": float(batch.bbox_size[row]),
            "truth": np.concatenate([batch.keypoints[row].double().numpy(), visible], axis=1).tolist(),
            "to_source": batch.to_source[row].double().tolist(),
        }

    def close(self, outcome: Outcome) -> None:
        """Write examples.json: every example with each method's pose, in pixels of its pictures."""
        rows = {sample.key: row for row, sample in enumerate(outcome.samples)}
        complete = []
        for entry in self.entries:
            affine = np.array(entry["to_source"])
            condition = Condition(stride=1, degradation=self.examples[entry["key"]].how)
            row = rows[entry["key"]]
            poses = {method: outcome.of(method, condition).keypoints[row] for method in outcome.poses}
            complete.append(entry | {"poses": {method: _back(points, affine) for method, points in poses.items()}})
        write_json(self.folder / "examples.json", complete)


def _save(path: Path, image: UInt8[Tensor, "3 H W"]) -> str:
    """Write an RGB image; the file's name."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()[..., ::-1]
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return path.name


def _back(points: Float64[np.ndarray, "K 2"], to_source: Float64[np.ndarray, "2 3"]) -> list[list[float]]:
    """Points of the source frame in a crop's pixels."""
    back: list[list[float]] = np.round(transform(points, inverse(to_source)), 2).tolist()
    return back
