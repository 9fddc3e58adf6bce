from datetime import UTC, datetime
from pathlib import Path

from pipeline.params import read
from pipeline.tracking.contents import digests
from pipeline.tracking.package import write_package

CREATED = datetime(2026, 1, 2, 3, 4, 5, 600, UTC)


def test_two_packages_of_one_run_are_the_same_bytes(model: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_package(model, tmp_path / name, identity="r1", created=CREATED)

    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    assert read(tmp_path / "one" / "MLmodel")["utc_time_created"] == "2026-01-02 03:04:05.000600"


def test_packages_of_two_runs_differ_in_what_mlflow_calls_them(model: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_package(model, tmp_path / name, identity=name, created=CREATED)

    one, two = digests(tmp_path / "one"), digests(tmp_path / "two")
    assert {name for name in one if one[name] != two[name]} == {"MLmodel"}
