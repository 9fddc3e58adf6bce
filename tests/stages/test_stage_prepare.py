from pathlib import Path

import pytest

from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal
from stages import prepare

PARAMS = """\
data:
  root: data/posetrack18
  boxes: null
prepare:
  select_share: 0.2
  window: 5
  seed: 0
  checks: {max_bad_share: 0.05, max_leaked_share: 0, far_outside: 0.5, jump: 1, decode: false}
"""


def test_prepare_indexes_what_its_arguments_name(
    posetrack_sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS)
    monkeypatch.chdir(tmp_path)

    prepare.main(posetrack_sample, Path("index"), Path("checks.html"))

    assert len(read_index(tmp_path / "index").videos) == 5
    assert (tmp_path / "checks.html").is_file()


def test_prepare_refuses_an_unknown_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "params.yaml").write_text(PARAMS + "  shares: 1\n")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(Refusal, match=r"prepare.shares is not a known key"):
        prepare.main(tmp_path, tmp_path / "index", tmp_path / "checks.html")
