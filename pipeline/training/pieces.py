"""A share of a step's batch, cut into pieces that fit into memory, each with its weight in the share's loss."""

from dataclasses import dataclass, fields, replace
from typing import Any

from dsn.codec import encode
from dsn.config import ModelConfig
from dsn.loss import LossConfig
from pipeline.shards.batch import ClipBatch

BY_JOINTS = ("final", "keypoint", "dense", "visual")
"""Terms that are means over supervised joints; all others are means over clips."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some clips of a share."""

    batch: ClipBatch
    joints: float
    """Its part of the joints whose errors the share's loss averages."""
    clips: float
    """Its part of the share's clips."""

    def weight(self, term: str) -> float:
        """What its loss term weighs in the share's."""
        return self.joints if term in BY_JOINTS else self.clips


def cut(share: ClipBatch, *, size: int | None, model: ModelConfig, loss: LossConfig) -> list[Piece]:
    """Pieces of at most `size` clips, whose weighted losses sum up to the share's; None leaves it whole.

    That holds to rounding, but for a network with BatchNorm in training, which sees a piece at a time.
    """
    count = len(share.keys)
    if size is None or size >= count:
        return [Piece(batch=share, joints=1.0, clips=1.0)]
    counted = _joints_counted(share, model=model, loss=loss)
    total = max(1, sum(counted))
    return [
        Piece(
            batch=_some(share, slice(begin, begin + size)),
            joints=sum(counted[begin : begin + size]) / total,
            clips=len(counted[begin : begin + size]) / count,
        )
        for begin in range(0, count, size)
    ]


def _joints_counted(share: ClipBatch, *, model: ModelConfig, loss: LossConfig) -> list[int]:
    """How many joints of each person count in the loss."""
    _, supervised = encode(share.keypoints, share.visible, input_size=model.input_size, config=model.heatmap)
    known: list[int] = supervised.sum(dim=1).tolist()
    return known if loss.hard_joints is None else [min(loss.hard_joints, number) for number in known]


def _some(batch: ClipBatch, which: slice) -> ClipBatch:
    values: dict[str, Any] = {field.name: getattr(batch, field.name) for field in fields(batch)}
    quarantined = values.pop("quarantined")
    return replace(batch, **{name: value[which] for name, value in values.items()}, quarantined=quarantined)
