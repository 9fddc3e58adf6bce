"""Torchvision's detectors with weights from a file: what is read, what is refused, and what they give."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision

from pipeline.inference.detector import Detector, Kind, TorchvisionDetector
from pipeline.refusal import Refusal
from tests.world.footage import drawn_frames

KIND: Kind = "fasterrcnn_mobilenet_v3_large_320_fpn"
LOGITS = "roi_heads.box_predictor.cls_score"


def weights(path: Path, *, label: int) -> Path:
    """Of a detector that learned nothing but to take whatever it is shown for one of COCO's labels."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(KIND, weights=None, weights_backbone=None, num_classes=91)
    state: dict[str, Any] = network.state_dict()
    state[f"{LOGITS}.weight"].zero_()
    state[f"{LOGITS}.bias"].zero_()[label] = 8.0
    torch.save(state, path)
    return path


def detector(path: Path) -> TorchvisionDetector:
    return TorchvisionDetector(path, kind=KIND, device="cpu")


def test_the_weights_of_the_file_decide_who_is_found(tmp_path: Path) -> None:
    (image,) = drawn_frames(1)
    people = detector(weights(tmp_path / "people.pth", label=1))
    cups = detector(weights(tmp_path / "cups.pth", label=47))

    found = people(image)

    assert isinstance(people, Detector)
    assert found
    assert cups(image) == []
    score = np.exp(8) / (np.exp(8) + 90)
    for one in found:
        x1, y1, x2, y2 = one.bbox
        assert 0 <= x1 < x2 <= 160
        assert 0 <= y1 < y2 <= 90
        assert one.score == pytest.approx(score, abs=1e-4)
        assert one.track_id is None


def of_another(path: Path) -> None:
    torch.save({"head.weight": torch.zeros(1)}, path)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def no_weights(path: Path) -> None:
    path.write_text("<html>not found</html>")


def a_list(path: Path) -> None:
    torch.save([1, 2], path)


def code(path: Path) -> None:
    torch.save(Path("somewhere"), path)


def cut(path: Path) -> None:
    torch.save({"head.weight": torch.zeros(99)}, path)
    path.write_bytes(path.read_bytes()[:-200])


@pytest.mark.parametrize("write", [of_another, empty, no_weights, a_list, code, cut], ids=lambda one: one.__name__)
def test_a_wrong_file_is_refused_in_one_line(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "other.pth")

    with pytest.raises(Refusal, match=rf"other\.pth: got .*{KIND}; ") as refused:
        detector(tmp_path / "other.pth")

    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=f"no such file, wanted torchvision's weights of {KIND}; download them first"):
        detector(tmp_path / "absent.pth")
