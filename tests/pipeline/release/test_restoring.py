"""The commands that lineage prints bring a version's code, params and data back, in a clone of a project under DVC."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.release import origin
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import provenance
from pipeline.tracking.registration import register
from pipeline.tracking.registry import Version
from tests.world.clone import clean_environment

STAGES = """\
stages:
  shard:
    cmd: python shard.py
    deps: [shard.py]
    params: [steps]
    outs: [data/shards/train]
"""
SHARD = """\
from pathlib import Path
Path("data/shards/train").mkdir(parents=True)
Path("data/shards/train/0.tar").write_text("shards of " + Path("params.yaml").read_text())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]


class Project:
    """A folder under git and DVC, whose cache is outside of it, as a remote is."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self._environment = folder, environment

    def run(self, script: str) -> str:
        """What a shell script prints; each of its lines must succeed."""
        done = subprocess.run(
            ["sh", "-ec", script],
            cwd=self.folder,
            env=self._environment,
            check=False,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def reproduce(self, steps: int) -> None:
        """Run the pipeline with other params."""
        (self.folder / "params.yaml").write_text(f"steps: {steps}\n")
        self.run("dvc repro --quiet")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Whose last commit is older than its params and its dvc.lock."""
    me = {f"GIT_{role}_{what}": "me@here" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    made = Project(tmp_path / "project", clean_environment(site=tmp_path / "site") | me)
    made.folder.mkdir()
    (made.folder / "dvc.yaml").write_text(STAGES)
    (made.folder / "shard.py").write_text(SHARD)
    made.run(f"git init --quiet\ndvc init --quiet\ndvc cache dir {tmp_path}/cache")
    made.reproduce(1)
    made.run("git add .\ngit commit --quiet --message one")
    made.reproduce(2)
    monkeypatch.chdir(made.folder)
    return made


@pytest.fixture
def made(project: Project, tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> Version:
    """A version trained there, before the project went on."""
    tags = provenance({"train": b"{}"}, config={}, shards=str(project.folder / "data/shards"))
    return register(tracking, model, run_id=trained(), tags=tags, card="", alias="candidate")


def test_the_commands_of_lineage_bring_code_params_and_data_back(
    project: Project, made: Version, tracking: TrackingConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.folder / "shard.py").write_text(SHARD.replace("shards of", "other shards of"))
    project.reproduce(3)
    project.run(f"git add .\ngit commit --quiet --message two\ngit clone --quiet . {tmp_path}/clone")
    clone = Project(tmp_path / "clone", project._environment)
    told = origin.told(tracking, "candidate")

    clone.run(told.partition("in a clone of the project:")[2])

    assert made.tags["git.dirty"] == "false"
    assert (clone.folder / "data/shards/train/0.tar").read_text() == "shards of steps: 2\n"
    assert (clone.folder / "shard.py").read_text() == SHARD
    assert "up to date" in clone.run("dvc status")
    monkeypatch.chdir(clone.folder)
    assert origin.verified(tracking, "candidate") == []
