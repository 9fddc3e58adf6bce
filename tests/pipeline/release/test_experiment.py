"""An experiment of DVC, run for real: its name stands where whoever finds a version or a run looks for it."""

import json
from pathlib import Path

import pytest

from pipeline import params
from pipeline.artifacts import read_json
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.registry import find
from pipeline.tracking.server import connect
from tests.world.clone import ROOT, clean_environment, dvc, executed

TRAIN = """\
import json, sys
from pathlib import Path
from pipeline import params
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import provenance
from pipeline.tracking.runs import start_run
tags = provenance({"train": b"{}"}, config={}, shards="shards")
tracker = start_run(params.load(Path("params.yaml"), "tracking", into=TrackingConfig), "train", tags=tags)
tracker.finish()
best = {"step": 1.0, "select/pck_final": 50.0}
run = {"run_id": tracker.run_id, "samples": 1, "best": best, "yardstick": {"name": "PCKh"}, "tags": tags}
Path("run.json").write_text(json.dumps(run))
"""
STAGES = """\
stages:
  train:
    cmd: python train.py
    deps: [train.py]
    params: [train.steps]
    outs: [run.json]
  register:
    cmd: python -m stages.register --model {model} --run run.json --out registered.json
    deps: [run.json]
    outs: [{{registered.json: {{cache: false}}}}]
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


def test_a_run_and_its_version_carry_the_name_of_the_experiment_that_made_them(
    tracking: TrackingConfig, random_network: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    environment = clean_environment(site=tmp_path / "site") | {"PYTHONPATH": str(ROOT)}
    values = params.read(ROOT / "params.yaml")
    values["tracking"] |= {"uri": tracking.uri, "experiment": tracking.experiment, "model": tracking.model}
    files = {"params.yaml": json.dumps(values), "train.py": TRAIN, "dvc.yaml": STAGES.format(model=random_network)}
    for name, content in files.items():
        (project / name).write_text(content)
    for command in ("git init -q", "dvc init -q", "git add .", "git -c user.name=n -c user.email=e commit -qm one"):
        assert executed(command.split(), project, environment=environment)[0] == 0

    dvc("exp", "run", "--name", "longer", "--set-param", "train.steps=7", folder=project, environment=environment)

    version = find(tracking, alias="candidate")
    assert version is not None
    assert version.version == read_json(project / "registered.json")["version"]
    run = connect(tracking).get_run(version.run_id)
    for tags in (version.tags, run.data.tags):
        assert (tags["dvc.experiment"], tags["dvc.stage"]) == ("longer", "train")
    listed = dvc("exp", "list", "--name-only", folder=project, environment=environment)
    assert listed.split() == ["longer"]
