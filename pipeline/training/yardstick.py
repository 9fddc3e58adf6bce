"""What the score on select is measured by: heads where the data has them, else bboxes."""

from dataclasses import dataclass
from typing import Literal

from pipeline.shards.manifest import Manifest

SCORE = "select/pck_final"
"""The number that chooses between checkpoints and between trials; by which yardstick, run.json says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """When a keypoint is right."""

    name: str
    """As the field calls the percentage of keypoints that are."""
    unit: Literal["head_size", "bbox_size"]
    """What distances are divided by: the official evaluator's head size, or the longer side of the annotated bbox."""
    threshold: float
    """A keypoint is right within so many units of its label."""


HEADS = Yardstick(name="PCKh@0.5", unit="head_size", threshold=0.5)
"""The official evaluator's rule."""
BBOXES = Yardstick(name="PCK@0.2", unit="bbox_size", threshold=0.2)
"""The field's rule where there are no head bboxes."""


def yardstick_of(select: Manifest) -> Yardstick:
    """One yardstick for all of a split: heads where at least half of its samples have one.

    Those few of PoseTrack without a head bbox are then not counted, as ever; and a few heads in data without them do
    not choose a model by themselves.
    """
    return HEADS if 2 * select.heads >= select.samples else BBOXES
