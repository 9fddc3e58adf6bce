"""The cache of fetched files is bounded, whole or empty, and one for all processes."""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.refusal import Refusal
from pipeline.shards.cache import Cache
from pipeline.shards.damage import DamageError

SIZE = 1000
ROOT = Path(__file__).parents[3]


def content(number: int) -> bytes:
    return bytes([number]) * SIZE


def digest(number: int) -> str:
    return hashlib.sha256(content(number)).hexdigest()


def writing(number: int, fetched: list[int]) -> Callable[[Path], None]:
    """A fetch that works, and remembers that it was called."""

    def fetch(path: Path) -> None:
        fetched.append(number)
        path.write_bytes(content(number))

    return fetch


def take(cache: Cache, number: int, fetched: list[int]) -> bytes:
    with cache.open(digest(number), size=SIZE, fetch=writing(number, fetched)) as file:
        return file.read()


def held(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"}


def test_a_file_is_fetched_once(tmp_path: Path) -> None:
    fetched: list[int] = []

    read = [take(Cache(tmp_path, limit=3 * SIZE), 7, fetched) for _ in range(3)]

    assert read == [content(7)] * 3
    assert fetched == [7]
    assert held(tmp_path) == {digest(7)}


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    cache, fetched = Cache(tmp_path, limit=3 * SIZE), list[int]()
    for number in (1, 2, 3):
        take(cache, number, fetched)
        os.utime(tmp_path / digest(number), (number, number))

    take(cache, 1, fetched)
    take(cache, 4, fetched)

    assert fetched == [1, 2, 3, 4]
    assert held(tmp_path) == {digest(number) for number in (1, 3, 4)}


def test_it_never_holds_more_than_its_limit(tmp_path: Path) -> None:
    cache, fetched = Cache(tmp_path, limit=2 * SIZE + 500), list[int]()

    for number in (1, 2, 3, 1, 4, 5, 2):
        take(cache, number, fetched)
        assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 2 * SIZE + 500


def test_an_open_file_can_be_read_on_after_it_made_room(tmp_path: Path) -> None:
    cache, fetched = Cache(tmp_path, limit=SIZE), list[int]()
    with cache.open(digest(1), size=SIZE, fetch=writing(1, fetched)) as first:
        take(cache, 2, fetched)

        assert held(tmp_path) == {digest(2)}
        assert first.read() == content(1)


def test_bytes_that_are_not_those_wanted_are_refused_and_not_kept(tmp_path: Path) -> None:
    with pytest.raises(DamageError, match=f"its bytes have the SHA-256 {digest(2)[:12]}..., wanted {digest(1)[:12]}"):
        Cache(tmp_path, limit=SIZE).open(digest(1), size=SIZE, fetch=writing(2, []))

    assert held(tmp_path) == set()


def test_a_fetch_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fetch(path: Path) -> None:
        path.write_bytes(b"half")
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        Cache(tmp_path, limit=SIZE).open(digest(1), size=SIZE, fetch=fetch)

    assert held(tmp_path) == set()


def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match=r"reader.store.cache_gib: got .*, wanted at least .*the size of one shard"):
        Cache(tmp_path, limit=SIZE - 1).open(digest(1), size=SIZE, fetch=writing(1, []))


PROCESS = """
import sys, time
from pathlib import Path
from pipeline.shards.cache import Cache

folder, log, digest, number, seconds = sys.argv[1:]

def fetch(path):
    with open(log, "a") as file:
        file.write("fetched\\n")
    with path.open("wb") as file:
        file.write(bytes([int(number)]) * 500)
        file.flush()
        time.sleep(float(seconds))
        file.write(bytes([int(number)]) * 500)

with Cache(Path(folder), limit=3000).open(digest, size=1000, fetch=fetch) as file:
    assert file.read() == bytes([int(number)]) * 1000
"""


def start(folder: Path, log: Path, number: int, *, seconds: float) -> subprocess.Popen[bytes]:
    """A process that takes a file, whose fetch stops half-way for some seconds."""
    arguments = [str(folder), str(log), digest(number), str(number), str(seconds)]
    return subprocess.Popen([sys.executable, "-c", PROCESS, *arguments], cwd=ROOT)


def wait_for(path: Path, *, size: int) -> None:
    deadline = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size == size):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_processes_that_want_the_same_file_fetch_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"

    processes = [start(tmp_path / "cache", log, 5, seconds=0.5) for _ in range(3)]

    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert log.read_text() == "fetched\n"


def test_a_killed_fetch_is_neither_mistaken_for_a_file_nor_counted_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    process = start(folder, tmp_path / "log", 5, seconds=60)
    wait_for(folder / f"{digest(5)}.part", size=500)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    assert held(folder) == {f"{digest(5)}.part", f"{digest(5)}.room"}

    fetched: list[int] = []
    for number in (1, 2, 3):
        take(Cache(folder, limit=3 * SIZE), number, fetched)

    assert held(folder) == {digest(number) for number in (1, 2, 3)}
    assert take(Cache(folder, limit=3 * SIZE), 5, fetched) == content(5)


def test_room_is_kept_for_a_fetch_under_way(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    process = start(folder, tmp_path / "log", 5, seconds=2)
    wait_for(folder / f"{digest(5)}.part", size=500)
    fetched: list[int] = []

    for number in (1, 2, 3):
        take(Cache(folder, limit=3 * SIZE), number, fetched)

    assert process.wait(60) == 0
    assert held(folder) == {digest(number) for number in (2, 3, 5)}
