"""Whom a detector sees: torchvision's, which need nothing compiled and whose licence is BSD, or any other's."""

from pathlib import Path
from pickle import UnpicklingError  # noqa: TID251  (only its name: nothing is unpickled but tensors)
from typing import Any, Literal, Protocol, runtime_checkable

import torch
import torchvision
from jaxtyping import Float
from torch import Tensor

from pipeline.inference.people import Found
from pipeline.posetrack.annotations import corners
from pipeline.refusal import Refusal
from pipeline.shards.crop import Image

Kind = Literal[
    "fasterrcnn_mobilenet_v3_large_320_fpn", "fasterrcnn_mobilenet_v3_large_fpn", "fasterrcnn_resnet50_fpn_v2"
]
PERSON = 1
"""The label in COCO, with which all of them were trained."""
CLASSES = 91


@runtime_checkable
class Detector(Protocol):
    """Anything that finds people in a frame."""

    def __call__(self, image: Image) -> list[Found]:
        """The people in a frame (blue, green, red), in its pixels, with scores from 0 to 1."""


class TorchvisionDetector:
    """One of torchvision's detectors, with weights that were downloaded before."""

    def __init__(self, weights: Path, *, kind: Kind, device: str) -> None:
        """Read the weights.

        Raises:
            Refusal: the file is missing, or holds another detector's weights.
        """
        self._network = torchvision.models.get_model(kind, weights=None, weights_backbone=None, num_classes=CLASSES)
        _fill(self._network, weights, kind=kind)
        self._network.to(device).eval()
        self._device = device

    @torch.inference_mode()
    def __call__(self, image: Image) -> list[Found]:
        """The people in a frame (blue, green, red)."""
        pixels = torch.from_numpy(image).to(self._device).flip(-1).permute(2, 0, 1).float() / 255
        (seen,) = self._network([pixels])
        return [one for one in map(_found, seen["boxes"], seen["scores"], seen["labels"]) if one is not None]


def _found(bbox: Float[Tensor, "4"], score: Float[Tensor, ""], label: Tensor) -> Found | None:
    """None for what is no person or has no area."""
    box = corners(*bbox.tolist())
    if int(label) != PERSON or box is None:
        return None
    return Found(bbox=box, score=float(score), track_id=None)


def _fill(network: Any, weights: Path, *, kind: Kind) -> None:
    if not weights.is_file():
        raise Refusal(f"{weights}: no such file, wanted torchvision's weights of {kind}; download them first")
    try:
        network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    except (RuntimeError, KeyError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        first = next(iter(str(error).splitlines()), type(error).__name__)
        raise Refusal(
            f"{weights}: got other weights than those of {kind}; choose another file or --detector ({first})"
        ) from None
