"""The registered network as MLflow loads it: whole frames and bboxes in, keypoints with scores out."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from jaxtyping import Float, UInt8

from dsn.checkpoint import Loaded, load
from pipeline.artifacts import read_json
from pipeline.evaluation.predict import heatmaps, locate, read
from pipeline.shards.crop import Affine, region, shrinking_warp, upright
from pipeline.tracking.download import verify_fetched

AT_ONCE = 32
"""People in one forward pass."""


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """A network that finds people's keypoints in whole frames."""

    model: Loaded
    padding: float
    """Of the region around a bbox, in sides of the bbox."""

    def predict(self, model_input: Mapping[str, Any], params: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:  # noqa: ARG002  (MLflow's name and place)
        """Poses at the keyframe.

        Args:
            model_input: `frames`, uint8 [T, H, W, 3]: the clip's RGB frames in order of time, those of `clip.offsets`
                and the keyframe between them; `boxes`, float32 [N, 4]: x1, y1, x2, y2 of each person at the keyframe.
            params: MLflow's; there are none.

        Returns:
            `keypoints`, float32 [N, K, 2]: x, y in pixels of the frames; `scores`, float32 [N, K].

        Raises:
            ValueError: a bbox has no area, or the clip has another number of frames.
        """
        frames, boxes = np.asarray(model_input["frames"]), np.asarray(model_input["boxes"], dtype=np.float64)
        refuse_odd(frames, boxes, wanted=1 + len(self.model.config.clip.offsets))
        joints = len(self.model.skeleton.joints)
        if not len(boxes):
            return {"keypoints": np.zeros((0, joints, 2), np.float32), "scores": np.zeros((0, joints), np.float32)}
        parts = [self._poses(frames, boxes[first : first + AT_ONCE]) for first in range(0, len(boxes), AT_ONCE)]
        return {name: np.concatenate([part[name] for part in parts]) for name in ("keypoints", "scores")}

    def _poses(self, frames: UInt8[np.ndarray, "T H W 3"], boxes: Float[np.ndarray, "N 4"]) -> dict[str, np.ndarray]:
        config = self.model.config
        affines = [self._affine(box) for box in boxes.tolist()]
        crops = [[shrinking_warp(frame, affine, size=config.input_size) for frame in frames] for affine in affines]
        clips = torch.from_numpy(np.stack([np.stack(clip) for clip in crops])).permute(0, 1, 4, 2, 3).contiguous()
        maps = heatmaps(read(self.model.network, clips, model=config), "final")
        poses = locate(maps, torch.from_numpy(np.stack(affines)).float(), model=config)
        return {"keypoints": poses.keypoints.astype(np.float32), "scores": poses.scores.astype(np.float32)}

    def _affine(self, box: list[float]) -> Affine:
        x1, y1, x2, y2 = box
        size = self.model.config.input_size
        return upright(region((x1, y1, x2, y2), size=size, padding=self.padding), size=size)


def refuse_odd(frames: np.ndarray, boxes: np.ndarray, *, wanted: int) -> None:
    """Refuse a clip of the wrong length and bboxes without area."""
    if len(frames) != wanted:
        raise ValueError(f"frames: got {len(frames)}, wanted the clip's {wanted}")
    empty = np.flatnonzero(~((boxes[:, 2:] > boxes[:, :2]).all(axis=1) & np.isfinite(boxes).all(axis=1)))
    if len(empty):
        raise ValueError(f"boxes: got {boxes[empty[0]].tolist()}, wanted x1 < x2 and y1 < y2, finite")


def _load_pyfunc(data_path: str) -> Predictor:
    """What MLflow calls with the folder of the network's files.

    They are hashed while they are read: safetensors and JSON run no code, and nothing is given out before both is done.

    Raises:
        Refusal: they are not the files that were registered.
    """
    folder = Path(data_path)
    with ThreadPoolExecutor(1) as worker:
        verified = worker.submit(verify_fetched, folder)
        try:
            model = load(folder)
        finally:
            verified.result()  # also where loading failed: that the files were changed says more
    return Predictor(model=model, padding=read_json(folder / "crop.json")["padding"])
