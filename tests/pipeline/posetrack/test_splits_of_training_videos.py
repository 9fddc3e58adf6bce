import pandas as pd
import pytest

from pipeline.posetrack.splits import assign_splits
from pipeline.refusal import Refusal


def frames_of(videos: dict[str, int], split: str = "train") -> pd.DataFrame:
    rows = [
        {"video": video, "frame": frame, "is_labeled": True, "split": split}
        for video, count in videos.items()
        for frame in range(count)
    ]
    return pd.DataFrame(rows)


def split_of(frames: pd.DataFrame, **changes: float) -> list[str]:
    arguments: dict[str, float] = {"share": 0.2, "window": 5, "seed": 0} | changes
    split, _ = assign_splits(
        frames, share=arguments["share"], window=int(arguments["window"]), seed=int(arguments["seed"])
    )
    return split.tolist()


def select_videos(count: int, *, seed: int, share: float = 0.2) -> set[str]:
    frames = frames_of({f"v{number:02d}": 2 for number in range(count)})
    split = split_of(frames, seed=seed, share=share)
    return set(frames["video"][[name == "select" for name in split]])


@pytest.mark.parametrize(("videos", "share", "expected"), [(3, 0.1, 1), (10, 0.2, 2), (10, 0.25, 2), (20, 0.15, 3)])
def test_a_share_of_the_training_videos_is_held_out_whole(videos: int, share: float, expected: int) -> None:
    frames = frames_of({f"v{number:02d}": 4 for number in range(videos)})

    frames["drawn"] = split_of(frames, share=share)

    assert len(frames[["video", "drawn"]].drop_duplicates()) == videos
    assert frames[frames["drawn"] == "select"]["video"].nunique() == expected
    assert frames[frames["drawn"] == "train"]["video"].nunique() == videos - expected


def test_the_seed_decides_which_videos() -> None:
    assert select_videos(10, seed=1) == select_videos(10, seed=1)
    assert len({frozenset(select_videos(10, seed=seed)) for seed in range(5)}) > 1


def test_a_video_more_changes_the_choice_by_one_at_most() -> None:
    for count in range(5, 30):
        assert len(select_videos(count, seed=0) - select_videos(count + 1, seed=0)) <= 1


def test_val_stays_val() -> None:
    frames = pd.concat([frames_of({"a": 1, "b": 1, "c": 1}), frames_of({"z": 3}, "val")], ignore_index=True)

    split = split_of(frames)

    assert split[3:] == ["val"] * 3
    assert sorted(split[:3]) == ["select", "train", "train"]


def test_below_three_videos_the_last_fifth_is_held_out_behind_a_gap_of_one_window() -> None:
    split, holdout = assign_splits(frames_of({"a": 24}), share=0.2, window=5, seed=0)

    assert split.tolist() == ["train"] * 14 + ["gap"] * 5 + ["select"] * 5
    assert holdout.rule == "frames"
    assert holdout.videos == ("a",)
    assert "behind a gap of 5 frames" in holdout.text


def test_the_fifth_is_one_of_the_labelled_frames() -> None:
    frames = frames_of({"a": 40})
    frames["is_labeled"] = frames["frame"].between(10, 29)

    assert split_of(frames) == ["train"] * 21 + ["gap"] * 5 + ["select"] * 14


def test_of_two_videos_the_one_too_short_stays_in_training() -> None:
    split = split_of(frames_of({"a": 24, "b": 4}))

    assert split[24:] == ["train"] * 4
    assert split.count("select") == 5


def test_a_single_short_video_is_refused() -> None:
    with pytest.raises(Refusal, match="got 6 labelled training frames in 1 videos, wanted more than 6 in one video"):
        split_of(frames_of({"a": 6}))


def test_three_videos_are_split_by_video() -> None:
    _, holdout = assign_splits(frames_of({"a": 24, "b": 24, "c": 24}), share=0.2, window=5, seed=0)

    assert holdout.rule == "videos"
    assert holdout.text == "1 of 3 training videos are held out"
