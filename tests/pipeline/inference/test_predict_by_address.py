from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.artifacts import sha256
from tests.world import registry
from tests.world.footage import drawn_frames, write_images
from tests.world.registry import addresses, database, random_network, tracking, trained, version

__all__ = ["addresses", "database", "random_network", "tracking", "trained", "version"]

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

model = registry.model


def test_an_alias_a_version_and_a_folder_predict_the_same(
    addresses: tuple[str, ...], write_boxes: Callable[..., Path], tmp_path: Path
) -> None:
    frames = write_images(tmp_path / "walk", drawn_frames(5))
    boxes = write_boxes(*((frame, 5, 20, 40, 60) for frame in range(5)))

    for number, address in enumerate(addresses):
        arguments = ["predict", frames, "--model", address, "--boxes", boxes, "--out", tmp_path / f"out{number}"]
        done = CliRunner().invoke(app, [*map(str, arguments), "--no-overlay"])
        assert done.exit_code == 0, done.output

    tables = [sha256(tmp_path / f"out{number}" / "walk.csv") for number in range(3)]
    assert tables == [tables[0]] * 3
