import json
import re
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from dsn import checkpoint
from pipeline.refusal import Refusal
from pipeline.tracking.address import InRegistry, parse
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.models import load_model
from pipeline.tracking.registry import Version, point

Add = Callable[[], Version]

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


def test_an_alias_a_version_a_folder_and_a_stages_file_lead_to_the_same_network(
    tracking: TrackingConfig, version: Add, model: Path, tmp_path: Path
) -> None:
    added = version()
    point(tracking, alias="champion", version=added.version)
    (tmp_path / "registered.json").write_text(json.dumps(asdict(added)))
    addresses: list[Path | str] = [
        f"models:/{added.name}@champion",
        Path(f"models:/{added.name}/1"),
        model,
        tmp_path / "registered.json",
    ]

    weights = [load_model(address, tracking).network.state_dict() for address in addresses]

    wanted = checkpoint.load(model).network.state_dict()
    for found in weights:
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_addresses_are_read_and_written() -> None:
    assert parse("models:/dsn-pose@champion") == InRegistry(name="dsn-pose", version=None, alias="champion")
    assert parse("models:/dsn-pose/12") == InRegistry(name="dsn-pose", version="12", alias=None)
    assert [str(parse(text)) for text in ("models:/a@b", "models:/a/1")] == ["models:/a@b", "models:/a/1"]


@pytest.mark.parametrize("text", ["models:/a", "models:/a/b", "models:/a/0", "models:a@b", "models:/a/1@b"])
def test_an_address_that_names_nothing_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match=re.escape(f"got {text}, wanted models:/NAME@ALIAS")):
        parse(text)


def test_a_folder_and_a_stages_file_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="absent, which is no folder"):
        parse(tmp_path / "absent")
    with pytest.raises(Refusal, match=r"registered\.json: no such file.*run `dvc repro register`"):
        parse(tmp_path / "registered.json")


def test_an_absent_alias_is_refused_saying_which_there_are(tracking: TrackingConfig, version: Add) -> None:
    name = version().name

    with pytest.raises(Refusal, match=rf"{name} has no alias champion; its aliases: candidate \(version 1\)"):
        load_model(f"models:/{name}@champion", tracking)


def test_an_absent_version_is_refused_saying_what_to_run(tracking: TrackingConfig, version: Add) -> None:
    name = version().name

    with pytest.raises(Refusal, match=f"holds no version 7 of {name}; run `dvc repro -s -f register`"):
        load_model(f"models:/{name}/7", tracking)


def test_another_model_under_the_same_number_is_refused(tracking: TrackingConfig, version: Add, tmp_path: Path) -> None:
    added, registered = version(), tmp_path / "registered.json"
    registered.write_text(json.dumps(asdict(replace(added, tags=added.tags | {"sha256": 64 * "0"}))))

    wanted = r"models:/.*/1 is another model than the one that was registered here; run `dvc repro -s -f register`"
    with pytest.raises(Refusal, match=wanted):
        load_model(registered, tracking)


def test_an_empty_registry_is_told_from_an_absent_version(tracking: TrackingConfig) -> None:
    wanted = r"models:/absent/1 is absent, for it holds no model absent \(its models: .*\); run `dvc repro -s -f"
    with pytest.raises(Refusal, match=wanted):
        load_model("models:/absent/1", tracking)


def test_a_pickle_in_place_of_weights_is_refused(tracking: TrackingConfig, model: Path) -> None:
    torch.save({"weights": torch.zeros(3)}, model / "network.safetensors")

    with pytest.raises(Refusal, match="got weights that are no safetensors"):
        load_model(model, tracking)


def test_a_folder_that_lacks_a_file_is_refused_naming_it(tracking: TrackingConfig, model: Path) -> None:
    (model / "skeleton.json").unlink()

    with pytest.raises(Refusal, match=r"skeleton\.json is missing"):
        load_model(model, tracking)
