"""Agreement with what the official evaluator gave."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from pipeline.evaluation.poseval import score_folders


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"ap.nose": 72.5, ...}`, with NaN for None."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= (
            _flat(value, f"{prefix}{key}.")
            if isinstance(value, dict)
            else {prefix + key: math.nan if value is None else value}
        )
    return flat


@pytest.mark.parametrize("case", ["p1_dense_noise", "p2_real_frames_ignore", "p3_sparse_ignore"])
def test_every_number_is_the_official_one(oracle: Path, case: str) -> None:
    expected = json.loads((oracle / case / "expected.json").read_text())

    result = score_folders(oracle / case / "gt", oracle / case / "pred")

    assert result.pop("mot_error", "") != "" if expected.pop("mot_error", "") else "mot_error" not in result
    assert _flat(result) == pytest.approx(_flat(expected), rel=0, abs=1e-6, nan_ok=True)


def test_a_video_with_one_labelled_frame_has_no_tracking_result_and_says_which(oracle: Path) -> None:
    case = oracle / "p2_real_frames_ignore"

    result = score_folders(case / "gt", case / "pred")

    assert result["mot"] is None
    assert "003418_mpii_test.json: got one frame with ground truth" in result["mot_error"]
