"""Shards are read from anywhere: a real S3-speaking server that lives, dies, comes back, or stays dead."""

import logging
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from pipeline.refusal import Refusal
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import ReaderConfig, evaluation_batches, read_samples, training_batches
from pipeline.shards.store import Folder, Remote, StoreConfig, located
from tests.world.s3 import BUCKET, Server, point_at

MakeStore = Callable[..., StoreConfig]
SIZE = (32, 24)


def keys_of(folder: Folder, *, batch_size: int = 4, workers: int = 0) -> list[str]:
    batches = evaluation_batches(folder, input_size=SIZE, batch_size=batch_size, workers=workers)
    return [key for batch in batches for key in batch.keys]


def cached(store: StoreConfig) -> list[Path]:
    return [path for path in Path(store.cache).iterdir() if not path.suffix]


def test_a_url_is_told_from_a_path(tmp_path: Path, make_store: MakeStore) -> None:
    store = make_store(tmp_path)

    assert located("/data/shards", store) == Path("/data/shards")
    assert located("s3://bucket/shards/", store) / "train" == Remote(url="s3://bucket/shards/train", store=store)


def test_any_file_system_that_fsspec_knows_will_do(packed: Path, tmp_path: Path, make_store: MakeStore) -> None:
    store = make_store(tmp_path / "cache")

    keys = keys_of(located(f"file://{packed}", store) / "val")

    assert keys == keys_of(packed / "val")
    digests = {shard.sha256 for shard in read_manifest(packed / "val").shards}
    assert {path.name for path in cached(store)} == digests


def test_a_shard_that_is_not_the_manifests_is_damaged_whole(
    packed: Path, tmp_path: Path, make_store: MakeStore, make_reader: Callable[..., ReaderConfig]
) -> None:
    shutil.copytree(packed / "train", tmp_path / "train")
    shard = tmp_path / "train/000001.tar"
    shard.write_bytes(shard.read_bytes()[:-1] + b"!")
    folder = located(f"file://{tmp_path}/train", make_store(tmp_path / "cache"))
    config = make_reader(max_bad_share=0.25)

    batches = list(training_batches(folder, config, input_size=SIZE, batch_size=4, seed=0, epoch=0, rank=0, world=1))

    assert [len(batch.keys) for batch in batches] == [4] * 7
    assert sum(len(batch.quarantined) for batch in batches) == 7
    with pytest.raises(Refusal, match=r"train/000001.tar: its bytes have the SHA-256"):
        keys_of(folder)


def test_a_url_of_no_known_kind_is_refused(tmp_path: Path, make_store: MakeStore) -> None:
    with pytest.raises(
        Refusal, match=r"nothing://there/val/manifest.json: .*wanted a folder, or a URL that fsspec knows"
    ):
        keys_of(located("nothing://there", make_store(tmp_path)) / "val")


def test_a_url_where_nothing_is_is_refused(tmp_path: Path, make_store: MakeStore) -> None:
    with pytest.raises(Refusal, match=r"val/manifest.json: no such file, wanted a folder of shards"):
        keys_of(located(f"file://{tmp_path}", make_store(tmp_path)) / "val")


@pytest.fixture
def server(packed: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server that holds the packed splits."""
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    server = Server(packed)
    point_at(server, monkeypatch)
    server.start()
    server.wait()
    yield server
    server.kill()
    fsspec.get_filesystem_class("s3").clear_instance_cache()


@pytest.mark.slow
def test_a_split_on_s3_is_the_split_on_disk(
    server: Server, packed: Path, tmp_path: Path, make_store: MakeStore
) -> None:
    folder = located(f"s3://{BUCKET}", make_store(tmp_path / "cache"))

    assert read_manifest(folder / "val") == read_manifest(packed / "val")
    assert keys_of(folder / "val") == keys_of(packed / "val")
    assert list(read_samples(folder / "train")) == list(read_samples(packed / "train"))
    assert server.address


@pytest.mark.slow
def test_reading_processes_share_a_cache_smaller_than_the_split(
    server: Server, packed: Path, tmp_path: Path, make_store: MakeStore
) -> None:
    sizes = [path.stat().st_size for path in (packed / "val").glob("*.tar")]
    store = make_store(tmp_path / "cache", cache_gib=(2 * max(sizes) + 50_000) / 2**30)

    keys = keys_of(located(f"s3://{BUCKET}", store) / "val", batch_size=2, workers=2)

    assert keys == keys_of(packed / "val")
    assert sum(path.stat().st_size for path in cached(store)) <= 2 * max(sizes) + 50_000
    assert server.address


@pytest.mark.slow
def test_a_server_killed_half_way_and_back_again_costs_some_tries(
    server: Server, packed: Path, tmp_path: Path, make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    store = make_store(tmp_path / "cache", tries=12, wait=0.05)
    batches = evaluation_batches(located(f"s3://{BUCKET}", store) / "val", input_size=SIZE, batch_size=1)
    keys = [next(batches).keys[0]]
    server.kill()
    returning = threading.Timer(2.0, server.start)
    returning.start()

    with caplog.at_level(logging.WARNING, logger="pipeline.shards.store"):
        keys += [key for batch in batches for key in batch.keys]

    returning.join()
    assert keys == keys_of(packed / "val")
    assert f"s3://{BUCKET}/val/000001.tar: try 1 of 12 failed" in caplog.text


@pytest.mark.slow
def test_a_server_that_stays_dead_is_one_refusal(server: Server, tmp_path: Path, make_store: MakeStore) -> None:
    folder = located(f"s3://{BUCKET}", make_store(tmp_path / "cache", tries=3)) / "val"
    batches = evaluation_batches(folder, input_size=SIZE, batch_size=1)
    next(batches)
    server.kill()

    with pytest.raises(Refusal, match=rf"s3://{BUCKET}/val/000001.tar: cannot be read after 3 tries.*AWS_ENDPOINT_URL"):
        list(batches)
    with pytest.raises(Refusal, match=r"val/manifest.json: cannot be read after 3 tries") as refused:
        keys_of(folder)
    assert "\n" not in str(refused.value)


@pytest.mark.slow
def test_a_split_that_is_not_there_is_refused_without_further_tries(
    server: Server, tmp_path: Path, make_store: MakeStore, caplog: pytest.LogCaptureFixture
) -> None:
    for url in (f"s3://{BUCKET}/elsewhere", "s3://no-such-bucket/val"):
        with pytest.raises(Refusal, match=rf"{url}/manifest.json: no such file"):
            keys_of(located(url, make_store(tmp_path)))

    assert "try 1" not in caplog.text
    assert server.address


@pytest.mark.slow
def test_dvc_pushes_shards_to_s3_and_pulls_them_where_they_are_not(
    server: Server, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    shutil.copytree(packed, tmp_path / "project/shards")
    project = tmp_path / "project"

    def dvc(*arguments: str) -> None:
        subprocess.run([sys.executable, "-m", "dvc", *arguments], cwd=project, check=True)

    dvc("init", "--no-scm", "--quiet")
    dvc("remote", "add", "--default", "store", f"s3://{BUCKET}/dvc")
    dvc("add", "--quiet", "shards")
    dvc("push", "--quiet")
    shutil.rmtree(project / "shards")
    shutil.rmtree(project / ".dvc/cache")
    dvc("pull", "--quiet")

    assert keys_of(project / "shards/val") == keys_of(packed / "val")
    assert (project / "shards/train/000003.tar").read_bytes() == (packed / "train/000003.tar").read_bytes()
    assert server.address
