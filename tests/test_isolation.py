"""Every stage runs in a folder that holds what it declares in dvc.yaml and nothing else: code, data, and params."""

import json
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipeline import params
from pipeline.artifacts import read_json, write_text
from tests.world.clone import executed

ROOT = Path(__file__).parents[1]
STAGES: dict[str, dict[str, Any]] = params.read(ROOT / "dvc.yaml")["stages"]
PACKAGES = ("dsn", "pipeline", "stages")
CACHES = (".ray",)
"""What a stage may leave in its working folder beside its outs."""
TOLD_IN = {
    "draw": "data/drawn/config.json",
    "prepare": "data/index/checks.json",
    "tune": "tune/best.json",
    "evaluate": "evaluation/metrics.json",
    "stress": "stress/metrics.json",
    "promote": "promotion.json",
    "report": "report/config.json",
}
"""Where stages say what was in force: under `config`, or in a file of its own."""
SECONDS = 400.0
"""Behind this a stage hangs: with the tests' small params, and cores of its own, it takes less than a minute."""


@dataclass(slots=True, kw_only=True)
class World:
    """Where the isolated folders are, and what came out of them."""

    folder: Path
    params: dict[str, Any]
    outs: dict[str, Path] = field(default_factory=dict)
    """Where each path that was written lies."""

    def paths(self, entries: Iterable[str | Mapping[str, Any]]) -> list[str]:
        """The paths of a dvc.yaml list, with `${data.root}` put in."""
        bare = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
        return [path.replace("${data.root}", self.params["data"]["root"]) for path in bare]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An empty world with the tests' small params."""
    folder = tmp_path_factory.mktemp("world")
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    params.use_preset(folder / "params.yaml", ROOT / "tests" / "world", "tiny")
    return World(folder=folder, params=params.read(folder / "params.yaml"))


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A stage's TMPDIR and HOME, which it must leave empty. The name is short: a socket's path ends at 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="d") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("name", STAGES)
def test_a_stage_needs_nothing_but_what_it_declares(name: str, world: World, elsewhere: Path) -> None:
    folder = world.folder / name
    settle(name, folder, world)
    before = files_below(folder)
    command = world.paths([STAGES[name]["cmd"]])[0]

    own = environment(world.folder / "mlflow.db", elsewhere)
    status, output = executed(shlex.split(command), folder, environment=own, seconds=SECONDS)

    outs = world.paths(entry for kind in ("outs", "metrics", "plots") for entry in STAGES[name].get(kind, []))
    world.outs |= {out: folder / out for out in outs if (folder / out).exists()}
    assert status == 0, output
    assert not [out for out in outs if out not in world.outs], "outs are missing"
    strange = [path for path in files_below(folder) - before if not is_below(path, (*outs, *CACHES))]
    assert not strange, "files were written that are no outs"
    assert not [path for path in files_below(elsewhere) if not declared(path)], "files were left outside the folder"


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_what_a_stage_leaves_says_with_which_params_it_was_made(name: str, world: World) -> None:
    section = "train" if name == "control" else name
    in_force = {key: value for key, value in world.params.get(section, {}).items() if not isinstance(value, dict)}

    said = stated(name, world.outs)

    assert {key: said[key] for key in in_force} == in_force


def stated(name: str, outs: Mapping[str, Path]) -> Any:
    """What a stage's outs say of its own section, or the run's whole config where it has none."""

    def read(path: str) -> Any:
        return read_json(source_of(path, outs))

    match name:
        case "shard":
            return read("data/shards/train/manifest.json")["recipe"]["shard"]
        case "pretrain" | "control" | "train":
            return json.loads(read(f"{name}/run.json")["tags"]["config"])["train"]
        case "register":
            return json.loads(read("registered.json")["tags"]["config"])
        case _:
            told = read(TOLD_IN[name])
            return told.get("config", told)[name]


def declared(path: Path) -> bool:
    """Whether a file outside the folder is in one of the libraries' caches that the README names."""
    return path.is_relative_to(".cache/matplotlib") or path.parts[0].startswith("torchinductor_")


def environment(database: Path, elsewhere: Path) -> dict[str, str]:
    """No cluster, tracking server or code from elsewhere; one registry for all stages."""
    foreign = ("RAY_", "DVC_", "MLFLOW_", "XDG_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    own = {
        "PATH": f"{Path(sys.executable).parent}:{kept['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{database}",
        "TMPDIR": str(elsewhere),
        "HOME": str(elsewhere),
    }
    return {**kept, **own}


def files_below(folder: Path) -> set[Path]:
    """Relative paths of all files but bytecode."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def is_below(path: Path, folders: Iterable[str]) -> bool:
    """Whether a path is one of `folders` or lies in one."""
    return any(path.is_relative_to(folder) for folder in folders)


def settle(name: str, folder: Path, world: World) -> None:
    """Make `folder` hold the stage's deps and sections; packages keep their docstrings, which no stage declares."""
    for dep in world.paths(STAGES[name]["deps"]):
        source = source_of(dep, world.outs)
        (folder / dep).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, folder / dep, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(source, folder / dep)
    for package in PACKAGES:
        if (folder / package).is_dir():
            shutil.copyfile(ROOT / package / "__init__.py", folder / package / "__init__.py")
    write_text(folder / "params.yaml", json.dumps(only(world.params, STAGES[name]["params"]), indent=1))


def source_of(dep: str, outs: Mapping[str, Path]) -> Path:
    """Where a dep lies: code in the repository, data in or below what an earlier stage wrote in its own folder."""
    if Path(dep).parts[0] in PACKAGES:
        return ROOT / dep
    found = [path / Path(dep).relative_to(out) for out, path in outs.items() if Path(dep).is_relative_to(out)]
    assert found, f"{dep} is not there: an earlier stage failed, or was not run"
    return found[0]


def only(values: Mapping[str, Any], sections: Iterable[str]) -> dict[str, Any]:
    """`values` reduced to some sections, which may go deeper with dots."""
    kept: dict[str, Any] = {}
    for section in sections:
        *outer, last = section.split(".")
        source, target = values, kept
        for key in outer:
            source, target = source[key], target.setdefault(key, {})
        target[last] = source[last]
    return kept


def test_params_are_reduced_to_the_sections_named() -> None:
    values = {"model": {"clip": {"offsets": [1]}, "input_size": [8, 6], "head": 3}, "draw": 1, "tune": 2}

    assert only(values, ["model.clip", "draw", "model.input_size"]) == {
        "model": {"clip": {"offsets": [1]}, "input_size": [8, 6]},
        "draw": 1,
    }


def test_data_comes_from_where_an_earlier_stage_wrote_it_and_code_from_the_repository() -> None:
    outs = {"data/index": Path("/x/data/index")}

    assert source_of("data/index/videos.parquet", outs) == Path("/x/data/index/videos.parquet")
    assert source_of("pipeline/shards", outs) == ROOT / "pipeline/shards"
    with pytest.raises(AssertionError, match="data/indexes is not there"):
        source_of("data/indexes", outs)
