import json
from collections.abc import Callable

import pytest

from pipeline.shards.sample import ClipSample, from_json, make_key, to_json


def test_a_key_names_video_frame_and_person() -> None:
    assert make_key("000342_mpii_test", frame=7, person=12) == "000342_mpii_test-000007-012"


@pytest.mark.parametrize("video", ["a.b", "a/b", "a b", "ä", "x" * 80])
def test_names_that_would_merge_or_overflow_members_are_refused(video: str) -> None:
    with pytest.raises(ValueError, match="key: got"):
        make_key(video, frame=0, person=0)


def test_metadata_survive_json(make_sample: Callable[..., ClipSample]) -> None:
    for sample in (make_sample(), make_sample(neighbour_bbox=(1.5, 2.0, 3.0, 4.0), head_size=None)):
        assert from_json(to_json(sample)) == sample


def test_a_missing_number_is_null(make_sample: Callable[..., ClipSample]) -> None:
    values = json.loads(to_json(make_sample(head_size=None)))

    assert values["head_size"] is None
    assert values["neighbour_bbox"] is None


def test_a_sample_under_anothers_key_is_refused(make_sample: Callable[..., ClipSample]) -> None:
    data = to_json(make_sample()).replace(b"000001_a-000002-000", b"000001_a-000003-000")

    with pytest.raises(ValueError, match="wanted '000001_a-000002-000'"):
        from_json(data)
