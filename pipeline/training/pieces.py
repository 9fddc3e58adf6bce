"""A share of a step's batch, cut into pieces that fit into memory, each with its weight in the share's loss."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from dsn.codec import encode
from dsn.config import ModelConfig
from dsn.loss import LossConfig
from pipeline.shards.batch import ClipBatch

BY_JOINTS = ("final", "keypoint", "dense", "visual")
"""Terms that are means over supervised joints."""
BY_KEYFRAMES = ("reconstruction",)
"""Terms that are means over keyframes that are not spoilt; all others are means over clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some clips of a share."""

    batch: ClipBatch
    joints: float
    """Its part of the joints whose errors the share's loss averages."""
    keyframes: float
    """Its part of the share's keyframes that are not spoilt."""
    clips: float
    """Its part of the share's clips."""

    def weight(self, term: str) -> float:
        """What its loss term weighs in the share's."""
        if term in BY_JOINTS:
            return self.joints
        return self.keyframes if term in BY_KEYFRAMES else self.clips


def cut(share: ClipBatch, *, size: int | None, model: ModelConfig, loss: LossConfig) -> list[Piece]:
    """Pieces of at most `size` clips, whose weighted losses sum up to the share's; None leaves it whole.

    That holds to rounding, but for a network with BatchNorm in training, which sees a piece at a time.
    """
    count = len(share.keys)
    if size is None or size >= count:
        return [Piece(batch=share, joints=1.0, keyframes=1.0, clips=1.0)]
    places = [slice(begin, begin + size) for begin in range(0, count, size)]
    joints = _parts(_joints_counted(share, model=model, loss=loss), places)
    keyframes = _parts((~share.is_spoilt).tolist(), places)
    clips = _parts([1] * count, places)
    return [
        Piece(batch=_some(share, place), joints=joints[i], keyframes=keyframes[i], clips=clips[i])
        for i, place in enumerate(places)
    ]


def _parts(counts: Sequence[int], places: Sequence[slice]) -> list[float]:
    """What part of the sum lies at each of the places; 0 at each where the sum is."""
    total = max(1, sum(counts))
    return [sum(counts[place]) / total for place in places]


def _joints_counted(share: ClipBatch, *, model: ModelConfig, loss: LossConfig) -> list[int]:
    """How many joints of each person count in the loss."""
    _, supervised = encode(share.keypoints, share.visible, input_size=model.input_size, config=model.heatmap)
    known: list[int] = supervised.sum(dim=1).tolist()
    return known if loss.hard_joints is None else [min(loss.hard_joints, number) for number in known]


def _some(batch: ClipBatch, which: slice) -> ClipBatch:
    values: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    quarantined = values.pop("quarantined")
    return replace(batch, **{name: value[which] for name, value in values.items()}, quarantined=quarantined)
