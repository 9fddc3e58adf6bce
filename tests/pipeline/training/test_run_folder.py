"""The folder of a run is the same on disk and at a URL."""

import json
from pathlib import Path

import fsspec
import pytest

from pipeline.training.storage import RunFolder


@pytest.fixture(params=["disk", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "runs" / "a") if request.param == "disk" else f"memory://{tmp_path}/runs/a"


def test_a_run_that_was_never_started_is_not_finished(url: str) -> None:
    assert not RunFolder(url).is_finished()


def test_a_run_is_finished_once_it_is_marked_and_gone_once_it_is_removed(url: str) -> None:
    folder = RunFolder(url)

    folder.finish({"step": 4})

    assert folder.is_finished()
    with fsspec.open(f"{url}/finished.json") as file:
        assert json.load(file) == {"step": 4}
    folder.remove()
    assert not folder.is_finished()
