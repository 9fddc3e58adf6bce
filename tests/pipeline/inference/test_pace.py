import pytest

from pipeline.inference import pace
from pipeline.inference.pace import Pace, latencies


def told(capsys: pytest.CaptureFixture[str], *, ticks: int) -> list[str]:
    """The lines of a prediction of four frames."""
    following = Pace("walk", total=4)
    for _ in range(ticks):
        following.tick()
    following.end()
    return capsys.readouterr().err.splitlines()


def test_ci_gets_the_last_line_alone(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "ELSEWHERE", 0.0)
    monkeypatch.setenv("CI", "true")
    quiet = told(capsys, ticks=4)
    monkeypatch.delenv("CI")
    loud = told(capsys, ticks=4)

    assert len(quiet) == 1
    assert quiet[0].startswith("walk: 4 of 4 frames, ")
    assert len(loud) == 5


def test_a_line_tells_the_rate_and_what_is_left() -> None:
    following = Pace("walk", total=30)
    for _ in range(10):
        following.tick()

    assert following.line(5.0) == "walk: 10 of 30 frames, 2.0 frames/s, 10 s left"


def test_latencies_are_the_median_and_the_95th_percentile() -> None:
    assert latencies([float(value) for value in range(101)]) == {"median_ms": 50.0, "p95_ms": 95.0}
