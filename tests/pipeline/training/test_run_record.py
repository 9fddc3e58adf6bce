"""What a training run leaves on MLflow when it came to its end in several parts."""

from pipeline.training.tracked import before


def test_what_came_before_an_interruption_is_told_of_the_run_that_went_on() -> None:
    scores = {"step": 2.0, "select/pck_final": 40.0}
    history = [{"step": 1.0, "loss": 3.0}, {"step": 2.0, "loss": 2.0}, scores, {"step": 3.0, "loss": 1.0}]

    assert before(history, history[3:]) == history[:3]
    assert before(history, history) == []
    assert before(history, []) == history
