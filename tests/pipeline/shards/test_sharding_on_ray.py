from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.pack import pack_splits
from pipeline.shards.recipe import Recipe
from pipeline.shards.writer import write_shards

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_ray_packs_the_same_bytes_as_one_process_and_names_what_is_wrong(
    index: Index, tmp_path: Path, make_recipe: Callable[..., Recipe], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])
    pack_splits(index, tmp_path, tmp_path / "alone", make_recipe(), run=map)

    packed = write_shards(index, tmp_path, tmp_path / "ray", make_recipe())

    assert packed.samples == {"train": 28, "select": 14, "val": 28}
    assert contents(tmp_path / "ray") == contents(tmp_path / "alone")
    assert sorted(path.name for path in (tmp_path / "ray").iterdir()) == ["select", "train", "val"]

    (tmp_path / "images/000004_b/000002.png").write_bytes(b"spoilt")
    with pytest.raises(Refusal, match=r"000004_b/000002.png: not an image"):
        write_shards(index, tmp_path, tmp_path / "ray", make_recipe())
