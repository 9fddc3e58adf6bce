import numpy as np
import pandas as pd
import pytest
from jaxtyping import Float64

from pipeline.evaluation.joint_scores import RULES, ScoreRule, joint_scores, rescored

MAXIMA: Float64[np.ndarray, "N K"] = np.array([[0.8, 0.4, 0.1], [0.1, 0.2, 0.0]])
BOXES: Float64[np.ndarray, " N"] = np.array([0.5, 1.0])


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("heatmap", [[0.8, 0.4, 0.1], [0.1, 0.2, 0.0]]),
        ("heatmap_times_box", [[0.4, 0.2, 0.05], [0.1, 0.2, 0.0]]),
        ("box", [[0.5, 0.5, 0.5], [1.0, 1.0, 1.0]]),
        # The mean of 0.8 and 0.4 times 0.5; the second person has no maximum above 0.2.
        ("pose_times_box", [[0.3, 0.3, 0.3], [0.0, 0.0, 0.0]]),
    ],
)
def test_a_rule_makes_scores_of_maxima_and_box_scores(rule: ScoreRule, wanted: list[list[float]]) -> None:
    assert joint_scores(MAXIMA, BOXES, rule=rule) == pytest.approx(np.array(wanted))


def test_rescoring_changes_scores_alone_and_can_be_undone() -> None:
    rows = pd.DataFrame({"key": ["a", "b"], "maxima": list(MAXIMA), "box_score": BOXES, "scores": list(MAXIMA)})

    for rule in RULES:
        again = rescored(rescored(rows, rule), "heatmap")
        assert np.array_equal(np.array(again["scores"].tolist()), MAXIMA)
        assert again["key"].tolist() == ["a", "b"]
