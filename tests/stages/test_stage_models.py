"""How the stages that look at a model find it: by an alias, a version, a folder, or what stage register wrote."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from dsn import checkpoint
from dsn.network import build_single_frame
from dsn.skeleton import POSETRACK
from pipeline.artifacts import sha256
from pipeline.refusal import Refusal
from pipeline.tracking.config import TrackingConfig
from stages import evaluate, stress
from tests.world.clips import model_config, pack
from tests.world.registry import addresses, database, model, random_network, tracking, trained, version

__all__ = ["addresses", "database", "model", "random_network", "tracking", "trained", "version"]

ROOT = Path(__file__).parents[2]
STAGES: dict[str, Callable[..., None]] = {"evaluate": evaluate.main, "stress": stress.main}

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture(scope="session")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a single-frame network."""
    folder, config = tmp_path_factory.mktemp("control"), model_config()
    checkpoint.save(folder, build_single_frame(config, POSETRACK), config=config, skeleton=POSETRACK)
    return folder


@pytest.fixture(params=["evaluate", "stress"])
def look_at(
    request: pytest.FixtureRequest, tracking: TrackingConfig, control: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Path | str], None]:
    """Calls a stage on an address, with folders of data that are not there."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tracking.uri))
    absent = {name: Path("absent") for name in ("index", "val", "out")}
    more = {"evaluate": {"train": Path("absent")}, "stress": {"root": Path("absent"), "control": control}}

    def look(address: Path | str) -> None:
        STAGES[request.param](Path(address), **absent, **more[request.param])

    return look


Numbers = Callable[[Path | str], dict[str, Any]]


@pytest.fixture(params=["evaluate", "stress"])
def numbers(
    request: pytest.FixtureRequest, drawn_world: Path, control: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Numbers:
    """Gives what a stage measures of the model at an address, but how long it took."""
    text = (ROOT / "params.yaml").read_text()
    for value, small in (("draws: 500", "draws: 20"), ("max_samples: 600", "max_samples: 8")):
        assert value in text
        text = text.replace(value, small)
    (tmp_path / "params.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    data = pack(drawn_world, tmp_path / "data")

    def measured(address: Path | str) -> dict[str, Any]:
        out = Path(mkdtemp(dir=tmp_path))
        if request.param == "stress":
            stress.main(Path(address), control, data / "index", drawn_world, data / "val", out)
        else:
            evaluate.main(Path(address), data / "index", data / "train", data / "val", out)
        metrics: dict[str, Any] = json.loads((out / "metrics.json").read_text())
        metrics.pop("efficiency", None)
        tables = sorted(out.rglob("*.parquet")) + sorted(out.rglob("*.csv"))
        return metrics | {table.name: sha256(table) for table in tables}

    return measured


@pytest.mark.slow
def test_the_same_numbers_come_out_by_an_alias_a_version_and_a_folder(
    addresses: tuple[str, ...], numbers: Numbers
) -> None:
    found = [numbers(address) for address in addresses]

    assert found == [found[0]] * 3
    assert found[0]["people"] > 0


@pytest.mark.parametrize("which", range(3), ids=["alias", "version", "folder"])
def test_a_model_found_by_each_form_of_address_comes_to_the_shards(
    look_at: Callable[[Path | str], None], addresses: tuple[str, ...], which: int
) -> None:
    with pytest.raises(Refusal, match=r"^absent/manifest\.json: no such file"):
        look_at(addresses[which])


def test_in_a_clone_with_another_registry_the_version_is_absent_and_to_be_registered(
    look_at: Callable[[Path | str], None], tracking: TrackingConfig, tmp_path: Path
) -> None:
    registered = tmp_path / "registered.json"
    registered.write_text(json.dumps({"name": tracking.model, "version": "3", "run_id": "r", "tags": {"sha256": "a"}}))

    with pytest.raises(Refusal, match=rf"models:/.*/3 is absent, .* {tracking.model[:9]}.*; run `dvc repro -s -f"):
        look_at(registered)
