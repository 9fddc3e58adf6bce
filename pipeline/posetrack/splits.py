"""Which training frames are held out for choosing models: the `select` split."""

import hashlib
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from pipeline.refusal import Refusal

FEWEST_VIDEOS = 3
"""Below this many training videos, frames are held out instead of videos."""
HELD_OUT_FRAMES = 5
"""Then one labelled frame in this many is held out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holdout:
    """What was held out, as checks.json tells it."""

    rule: Literal["videos", "frames"]
    videos: tuple[str, ...]
    """Videos with held-out frames."""
    text: str
    """The rule in one sentence."""


def assign_splits(frames: pd.DataFrame, *, share: float, window: int, seed: int) -> tuple["pd.Series[str]", Holdout]:
    """Split of every frame: train, select, val or gap.

    Args:
        frames: one row a frame with `video`, `frame`, `is_labeled` and the official `split` (train or val), frames of
            a video in order.
        share: part of the training videos that is held out.
        window: frames a clip spans; as many lie between the train and select frames of one video.
        seed: decides which videos are held out. A video's luck does not depend on which others there are.

    Raises:
        Refusal: nothing can be held out, or nothing remains.
    """
    labeled = frames[(frames["split"] == "train") & frames["is_labeled"]]
    videos = sorted(labeled["video"].unique(), key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest())
    split = frames["split"].astype("str").copy()
    if len(videos) >= FEWEST_VIDEOS:
        held_out = videos[: max(1, round(share * len(videos)))]
        split[frames["video"].isin(held_out) & (frames["split"] == "train")] = "select"
        text = f"{len(held_out)} of {len(videos)} training videos are held out"
        return split, Holdout(rule="videos", videos=tuple(sorted(held_out)), text=text)
    held_out = []
    for name in videos:
        part = _hold_out_frames(frames[frames["video"] == name], window=window)
        if part is not None:
            split.loc[part.index] = part
            held_out.append(name)
    if not held_out:
        raise Refusal(
            f"got {len(labeled)} labelled training frames in {len(videos)} videos, wanted more than {window + 1} in "
            "one video to hold some out; lower `prepare.window` or add videos"
        )
    text = (
        f"with {len(videos)} training videos (fewer than {FEWEST_VIDEOS}), the last fifth of the labelled frames is "
        f"held out, behind a gap of {window} frames"
    )
    return split, Holdout(rule="frames", videos=tuple(sorted(held_out)), text=text)


def _hold_out_frames(frames: pd.DataFrame, *, window: int) -> "pd.Series[str] | None":
    """Splits of one video's frames: the last fifth of the labelled ones is select; None if no train frame remains."""
    positions = frames.loc[frames["is_labeled"], "frame"]
    first = positions.iloc[-max(1, round(len(positions) / HELD_OUT_FRAMES))]
    if not (positions < first - window).any():
        return None
    split = pd.Series("train", index=frames.index, dtype="str")
    split[frames["frame"] >= first - window] = "gap"
    split[frames["frame"] >= first] = "select"
    return split
