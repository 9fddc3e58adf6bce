import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.refusal import Refusal
from pipeline.release import origin
from pipeline.tracking.config import TrackingConfig
from pipeline.tracking.lineage import lineage, provenance
from pipeline.tracking.registration import register
from pipeline.tracking.registry import Version, tag
from pipeline.tracking.server import connect

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

ROOT = Path(__file__).parents[3]
LOCK = """schema: '2.0'
stages:
  shard:
    cmd: x
    outs:
    - path: data/shards/train
      hash: md5
      md5: {train}.dir
    - path: data/shards/val
      hash: md5
      md5: 22.dir
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A committed project with a dvc.lock, the working folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "params.yaml").write_text("train: {}\n")
    (folder / "code.py").write_text("x = 1\n")
    commands = [["init", "-q"], ["add", "."], ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "one"]]
    for command in commands:
        subprocess.run(["git", *command], check=True)
    (folder / "dvc.lock").write_text(LOCK.format(train="11"))
    return folder


@pytest.fixture
def made(project: Path, tracking: TrackingConfig, model: Path, trained: Callable[[], str]) -> Version:
    """A version trained there."""
    tags = provenance({"train": b"{}"}, config={"train": {"steps": 1}}, shards=str(project / "data/shards"))
    return register(tracking, model, run_id=trained(), tags=tags, card="", alias="candidate")


def test_a_version_tells_its_code_its_data_its_configuration_and_its_libraries(made: Version) -> None:
    sha = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()

    assert (made.tags["git.sha"], made.tags["git.dirty"]) == (sha, "false")
    assert (made.tags["dvc.out.train"], made.tags["dvc.out.val"]) == ("11.dir", "22.dir")
    assert made.tags["manifest.train"] == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert made.tags["config"] == '{"train": {"steps": 1}}'
    assert {"version.python", "version.torch", "version.mlflow"} <= made.tags.keys()


def test_neither_a_lock_nor_params_in_use_make_the_code_dirty_but_code_does(project: Path) -> None:
    subprocess.run(["git", "add", "dvc.lock"], check=True)
    (project / "params.yaml").write_text("train: {steps: 2}\n")
    clean = provenance({}, config={}, shards="s3://bucket/shards")["git.dirty"]
    (project / "code.py").write_text("x = 2\n")

    assert (clean, provenance({}, config={}, shards="s3://bucket/shards")["git.dirty"]) == ("false", "true")


@pytest.mark.parametrize(
    ("path", "dirty"),
    [("pipeline/shards/new.py", "true"), ("dsn/new.py", "true"), ("stages/new.py", "true"), ("notes/new.py", "false")],
)
@pytest.mark.usefixtures("project")
def test_a_module_that_git_does_not_know_makes_the_code_dirty_where_it_is_imported(path: str, *, dirty: str) -> None:
    Path(path).parent.mkdir(parents=True)
    Path(path).with_suffix(".txt").write_text("no code")
    Path(".gitignore").write_text("new.py\n")
    before = lineage({})["git.dirty"]
    Path(path).write_text("x = 1\n")

    assert (before, lineage({})["git.dirty"]) == ("false", dirty)


def test_a_version_keeps_the_lock_and_the_params(made: Version, tracking: TrackingConfig, project: Path) -> None:
    kept = Path(urlsplit(connect(tracking).get_run(made.run_id).info.artifact_uri).path, "package", "lineage")

    assert {path.name: path.read_text() for path in kept.iterdir()} == {
        name: (project / name).read_text() for name in ("dvc.lock", "params.yaml")
    }


def test_lineage_prints_tags_and_the_commands_that_bring_a_version_back(
    made: Version, tracking: TrackingConfig
) -> None:
    text = origin.told(tracking, "candidate")

    assert text == origin.told(tracking, "1") == origin.told(tracking, f"models:/{tracking.model}/1")
    assert f"{tracking.model} version 1, run {made.run_id}\n" in text
    assert "\ndvc.out.train: 11.dir\n" in text
    assert text.endswith(
        f"  git checkout {made.tags['git.sha']}\n"
        f"  export MLFLOW_TRACKING_URI={tracking.uri}\n"
        f"  mlflow artifacts download --artifact-uri runs:/{made.run_id}/package/lineage --dst-path restored\n"
        "  cp restored/lineage/* .\n"
        "  dvc checkout"
    )


@pytest.mark.parametrize("which", ["version", "data", "verify"])
def test_the_verb_lineage_tells_the_same_as_json(made: Version, tracking: TrackingConfig, which: str) -> None:
    given, wanted = {
        "version": (["candidate"], origin.facts(tracking, "candidate")),
        "data": (["--data", "11.dir"], {"versions": [f"{tracking.model} version 1: dvc.out.train"]}),
        "verify": ([made.version, "--verify"], {"different": []}),
    }[which]
    where = ["--set", f"tracking.uri={tracking.uri}", "--set", f'tracking.model="{tracking.model}"']

    done = CliRunner().invoke(app, ["lineage", *given, "--params", str(ROOT / "params.yaml"), *where, "--json"])

    assert done.exit_code == 0
    assert json.loads(done.stdout) == wanted


def test_what_is_as_it_was_registered_differs_in_nothing(made: Version, tracking: TrackingConfig) -> None:
    assert origin.verified(tracking, made.version) == []


def test_verifying_tells_changed_files_code_libraries_config_and_data_apart(
    made: Version, tracking: TrackingConfig, project: Path
) -> None:
    stored = Path(urlsplit(connect(tracking).get_run(made.run_id).info.artifact_uri).path, "package")
    (stored / "data/model/raw.safetensors").write_bytes(b"tampered")
    (stored / "lineage/planted.pkl").write_bytes(b"planted")
    (project / "dvc.lock").write_text(LOCK.format(train="99"))
    (project / "code.py").write_text("x = 2\n")
    commit = ["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-qam", "two"]
    subprocess.run(commit, check=True)
    tag(tracking, version=made.version, tags={"version.torch": "0.1", "config": "{}"})

    found = origin.verified(tracking, made.version)

    beginnings = [
        "stored file data/model/raw.safetensors: got sha256",
        "stored file lineage/planted.pkl: got sha256",
        "config: got sha256 44136fa",
        "git.sha: here ",
        "version.torch: here 2",
        "dvc.out.train: here 99.dir, registered 11.dir",
    ]
    assert [line.startswith(beginning) for line, beginning in zip(found, beginnings, strict=True)] == [True] * 6


def test_verifying_names_code_that_is_not_as_it_was_committed(made: Version, tracking: TrackingConfig) -> None:
    for name in ("dsn/one.py", "pipeline/page.css", "stages/one.py", "docs/one.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text("one\n")
    new = origin.verified(tracking, made.version)
    subprocess.run(["git", "add", "."], check=True)
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "two"], check=True)
    committed = origin.verified(tracking, made.version)
    for name in ("pipeline/page.css", "docs/one.py"):
        Path(name).write_text("two\n")
    changed = origin.verified(tracking, made.version)

    [sha] = committed
    assert sha.startswith("git.sha: here ")
    assert new == ["git.dirty: here dsn/one.py and 1 more with changes that are not committed"]
    assert changed == [sha, "git.dirty: here pipeline/page.css with changes that are not committed"]


@pytest.mark.usefixtures("made")
def test_versions_are_found_by_what_they_were_trained_on(
    tracking: TrackingConfig, version: Callable[[], Version]
) -> None:
    version()

    assert origin.trained_on(tracking, "11.dir") == [f"{tracking.model} version 1: dvc.out.train"]
    assert origin.trained_on(tracking, "d1") == [f"{tracking.model} version 2: data.train"]
    assert origin.trained_on(tracking, "44136fa3") == [f"{tracking.model} version 1: data.train, manifest.train"]
    assert origin.trained_on(tracking, "no such") == []


@pytest.mark.usefixtures("made")
def test_what_is_not_in_the_registry_has_no_lineage(tracking: TrackingConfig, project: Path) -> None:
    (project / "registered.json").write_text('{"name": "absent", "version": "1", "tags": {"sha256": "a"}}')

    with pytest.raises(Refusal, match="holds no model absent"):
        origin.told(tracking, "registered.json")
    with pytest.raises(Refusal, match="has no alias absent; its aliases: candidate"):
        origin.told(tracking, "absent")
