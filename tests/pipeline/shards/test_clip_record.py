import io
import tarfile

import pytest

from pipeline.shards import record

MEMBERS = {"json": b"{}", "0.jpg": b"a" * 700, "1.jpg": b""}


def test_a_record_is_read_as_it_was_written() -> None:
    assert record.decode(record.encode("v-000001-002", MEMBERS)) == ("v-000001-002", MEMBERS)


def test_records_and_a_closing_are_a_plain_tar_without_times_or_owners() -> None:
    data = record.encode("v-000001-002", MEMBERS) + record.encode("v-000002-000", MEMBERS) + record.CLOSING

    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        entries = tar.getmembers()
        contents = [file.read() for entry in entries if (file := tar.extractfile(entry))]

    names = ["0.jpg", "1.jpg", "json"]
    assert [entry.name for entry in entries] == [
        f"v-{key}.{name}" for key in ("000001-002", "000002-000") for name in names
    ]
    assert contents == [MEMBERS[name] for name in names] * 2
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname) for entry in entries} == {(0, 0, 0, "", "")}


def test_half_a_record_is_refused() -> None:
    data = record.encode("v-000001-002", MEMBERS)

    with pytest.raises(ValueError, match="wanted one whole record"):
        record.decode(data[:1500])


def test_two_records_are_not_one() -> None:
    with pytest.raises(ValueError, match="wanted one whole record"):
        record.decode(record.encode("v-000001-002", MEMBERS) + record.encode("v-000001-003", MEMBERS))


def test_bytes_that_are_no_tar_are_refused() -> None:
    with pytest.raises(ValueError, match="got no tar header at byte 0"):
        record.decode(bytes(1024))
