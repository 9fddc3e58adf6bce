import tarfile
from pathlib import Path

import pytest

from pipeline.shards import record

MEMBERS = {"json": b"{}", "0.jpg": b"a" * 700, "1.jpg": b""}


def written(path: Path, *keys: str) -> list[bytes]:
    """Write a record a key; each record's own bytes."""
    with record.RecordWriter(path) as writer:
        spans = [writer.write(key, MEMBERS) for key in keys]
    data = path.read_bytes()
    return [data[start:stop] for start, stop in spans]


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.tar", "v-000001-002", "v-000002-000")

    assert record.decode(first) == ("v-000001-002", MEMBERS)
    assert record.decode(second) == ("v-000002-000", MEMBERS)


def test_records_make_a_plain_tar_without_times_or_owners(tmp_path: Path) -> None:
    written(tmp_path / "a.tar", "v-000001-002", "v-000002-000")

    with tarfile.open(tmp_path / "a.tar", mode="r:") as tar:
        entries = tar.getmembers()
        contents = [file.read() for entry in entries if (file := tar.extractfile(entry))]

    names = ["0.jpg", "1.jpg", "json"]
    assert [entry.name for entry in entries] == [
        f"v-{key}.{name}" for key in ("000001-002", "000002-000") for name in names
    ]
    assert contents == [MEMBERS[name] for name in names] * 2
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, 0, "", "")}


def interrupted(path: Path) -> None:
    with record.RecordWriter(path) as writer:
        writer.write("v-000001-002", MEMBERS)
        raise KeyboardInterrupt


def test_a_tar_that_was_not_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        interrupted(tmp_path / "a.tar")

    assert list(tmp_path.iterdir()) == []


def test_two_writers_of_one_tar_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with record.RecordWriter(path) as first:
        first.write("v-000001-002", MEMBERS)
        (whole,) = written(path, "v-000001-002")
        names = [child.name for child in tmp_path.iterdir() if child != path]
        assert path.read_bytes()[: len(whole)] == whole
    again = path.read_bytes()

    assert again[: len(whole)] == whole
    assert len(names) == 1
    assert names[0].startswith(".a.tar.")
    assert names[0].endswith(record.UNFINISHED)


def test_records_are_copied_into_another_tar_as_they_are(tmp_path: Path) -> None:
    records = written(tmp_path / "a.tar", "v-000001-002", "v-000002-000")

    with record.RecordWriter(tmp_path / "b.tar") as writer:
        ends = [writer.append(data) for data in records]

    assert (tmp_path / "b.tar").read_bytes() == (tmp_path / "a.tar").read_bytes()
    assert ends == [len(records[0]), len(records[0]) + len(records[1])]


def test_half_a_record_is_refused(tmp_path: Path) -> None:
    (data,) = written(tmp_path / "a.tar", "v-000001-002")

    with pytest.raises(ValueError, match="wanted one whole record"):
        record.decode(data[:1500])


def test_two_records_are_not_one(tmp_path: Path) -> None:
    first, second = written(tmp_path / "a.tar", "v-000001-002", "v-000001-003")

    with pytest.raises(ValueError, match="wanted one whole record"):
        record.decode(first + second)


def test_bytes_that_are_no_tar_are_refused() -> None:
    with pytest.raises(ValueError, match="got no tar header at byte 0"):
        record.decode(bytes(1024))
