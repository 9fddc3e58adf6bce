"""A checkpoint is there whole or not at all, on disk and at a URL."""

import resource
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from pipeline.training.checkpoints import Checkpoints, DamagedError

LIMIT = 100_000


@pytest.fixture(params=["disk", "memory"])
def checkpoints(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoints:
    """None yet."""
    return Checkpoints(str(tmp_path / "runs" / "a") if request.param == "disk" else f"memory://{tmp_path}/runs/a")


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process can grow beyond a limit, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def add(checkpoints: Checkpoints, step: int, *, score: float | None = None, content: bytes = b"weights") -> None:
    def fill(folder: Path) -> None:
        (folder / "model").mkdir()
        (folder / "model" / "a").write_bytes(content)
        (folder / "run.pt").write_bytes(content)

    scores = None if score is None else {"step": float(step), "select/pck_final": score}
    checkpoints.add(fill, step=step, scores=scores)


def steps(checkpoints: Checkpoints) -> list[int]:
    return [one.step for one in checkpoints.all()]


def spoil(checkpoints: Checkpoints, step: int, name: str) -> None:
    """Cut a file of a checkpoint in half."""
    files, path = fsspec.core.url_to_fs(f"{checkpoints.url}/step_{step:08d}/{name}")
    content = files.cat_file(path)
    files.pipe_file(path, content[: len(content) // 2])


def test_a_run_that_was_never_started_has_none(checkpoints: Checkpoints) -> None:
    assert steps(checkpoints) == []
    assert checkpoints.rewind(pytest.fail) is None
    assert checkpoints.best(pytest.fail) is None


def test_what_was_added_is_fetched_as_it_was(checkpoints: Checkpoints) -> None:
    add(checkpoints, 4, score=50.0)

    with checkpoints.fetched(4) as folder:
        found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    assert found.pop("checkpoint.json")
    assert found == {"model/a": b"weights", "run.pt": b"weights"}
    assert checkpoints.all()[0].scores == {"step": 4.0, "select/pck_final": 50.0}


def test_the_two_newest_and_the_best_are_kept(checkpoints: Checkpoints) -> None:
    for step, score in enumerate([10.0, 30.0, 20.0, None, 25.0, None]):
        add(checkpoints, step, score=score)

    assert steps(checkpoints) == [1, 4, 5]
    best = checkpoints.best(pytest.fail)
    assert best is not None
    assert best.step == 1


def test_the_earliest_of_equal_scores_is_the_best_and_a_score_that_is_none_is_the_worst(
    checkpoints: Checkpoints,
) -> None:
    for step, score in enumerate([float("nan"), 20.0, 20.0]):
        add(checkpoints, step, score=score)

    best = checkpoints.best(pytest.fail)

    assert best is not None
    assert best.step == 1


@pytest.mark.parametrize("name", ["run.pt", "model/a", "checkpoint.json"])
def test_a_damaged_newest_checkpoint_is_told_and_the_one_before_it_is_used(checkpoints: Checkpoints, name: str) -> None:
    for step in (2, 4):
        add(checkpoints, step)
    spoil(checkpoints, 4, name)
    told: list[str] = []

    found = checkpoints.rewind(told.append)

    assert found == 2
    assert len(told) == 1
    assert told[0].startswith(f"the checkpoint of step 4 is damaged ({name}")
    assert steps(checkpoints) == [2]


def test_a_damaged_best_checkpoint_is_told_and_the_next_best_is_used(checkpoints: Checkpoints) -> None:
    for step, score in ((2, 30.0), (4, 20.0)):
        add(checkpoints, step, score=score)
    spoil(checkpoints, 2, "model/a")
    told: list[str] = []

    best = checkpoints.best(told.append)

    assert best is not None
    assert best.step == 4
    assert ["step 2 is damaged" in text for text in told] == [True]


def test_a_damaged_checkpoint_is_never_handed_out(checkpoints: Checkpoints) -> None:
    add(checkpoints, 2)
    spoil(checkpoints, 2, "run.pt")

    with pytest.raises(DamagedError, match=r"run\.pt: got \w{12}, wanted SHA-256"), checkpoints.fetched(2):
        pytest.fail("handed out")


def test_a_step_that_is_reached_again_replaces_what_was_there(checkpoints: Checkpoints) -> None:
    add(checkpoints, 2)
    add(checkpoints, 2, content=b"again")

    with checkpoints.fetched(2) as folder:
        assert (folder / "run.pt").read_bytes() == b"again"


def test_what_a_killed_process_left_half_written_is_no_checkpoint_and_goes(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    add(checkpoints, 2)
    part = tmp_path / ".step_00000004.part"
    part.mkdir()
    (part / "run.pt").write_bytes(b"wei")

    assert steps(checkpoints) == [2]
    assert checkpoints.rewind(pytest.fail) == 2
    assert not part.exists()


@pytest.mark.usefixtures("small_files")
def test_a_checkpoint_that_finds_no_room_leaves_nothing_and_those_before_it_stay(tmp_path: Path) -> None:
    checkpoints = Checkpoints(str(tmp_path))
    add(checkpoints, 2)

    with pytest.raises(OSError, match="File too large"):
        add(checkpoints, 4, content=bytes(2 * LIMIT))

    assert [path.name for path in tmp_path.iterdir()] == ["step_00000002"]
    assert checkpoints.rewind(pytest.fail) == 2
