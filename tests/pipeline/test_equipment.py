"""What the doctor tells of a machine, in each state that it can be in."""

from pathlib import Path

import pytest
import torch

from pipeline.equipment import codecs, cuda, dvc_remote, ray_token


def test_a_machine_without_a_driver_computes_on_the_cpu(tmp_path: Path) -> None:
    state, detail, repair = cuda(tmp_path / "absent")

    assert (state, repair) == ("ok", "")
    assert "no NVIDIA driver here, the CPU computes" in detail


@pytest.mark.skipif(torch.cuda.is_available(), reason="torch finds a GPU here")
def test_a_driver_with_which_torch_finds_no_gpu_is_told(tmp_path: Path) -> None:
    (tmp_path / "version").write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5\n")

    state, detail, repair = cuda(tmp_path / "version")

    assert state == "warning"
    assert "NVIDIA driver 550.54.15, and torch finds no GPU" in detail
    assert repair.startswith("nvidia-smi")


@pytest.mark.parametrize(
    ("environment", "state"),
    [
        ({}, "ok"),
        ({"RAY_ADDRESS": "auto"}, "ok"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "secret"}, "ok"),
        ({"RAY_AUTH_MODE": "token"}, "blocks"),
        ({"RAY_ADDRESS": "10.0.0.1:6379"}, "warning"),
    ],
)
def test_rays_token_is_looked_for_where_ray_does(tmp_path: Path, environment: dict[str, str], state: str) -> None:
    assert ray_token(environment, tmp_path)[0] == state


def test_rays_token_may_lie_in_a_file(tmp_path: Path) -> None:
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")

    assert ray_token({"RAY_AUTH_MODE": "token"}, tmp_path) == ("ok", "there is one", "")


@pytest.mark.parametrize(
    ("text", "state", "told"),
    [
        ("", "ok", "none: what stages make stays on this machine"),
        ("[core]\n    remote = store\n", "blocks", "core.remote is store, which has no url"),
        (
            "[core]\n    remote = store\n['remote \"store\"']\n    url = s3://me:secret@bucket/data\n",
            "ok",
            "store at s3://bucket/data",
        ),
        ("[core]\n    remote = store\n['remote \"store\"']\n    url = ../away\n", "blocks", "where there is no folder"),
    ],
)
def test_dvcs_remote_is_read_as_dvc_writes_it(tmp_path: Path, text: str, state: str, told: str) -> None:
    (tmp_path / "config").write_text(text)

    found = dvc_remote(tmp_path)

    assert found[0] == state
    assert told in found[1]
    assert "secret" not in found[1]
    assert (found[2] != "") == (state == "blocks")


def test_a_remote_of_the_local_config_counts_and_its_folder_may_be_relative(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / "away").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    remote = store\n")
    (tmp_path / ".dvc" / "config.local").write_text("['remote \"store\"']\n    url = ../away\n")

    assert dvc_remote(tmp_path / ".dvc") == ("ok", "store at ../away", "")


def test_the_videos_that_verbs_write_can_be_read_here() -> None:
    state, detail, _ = codecs()

    assert state == "ok"
    assert detail.endswith("writes and reads VP9 in MP4")
