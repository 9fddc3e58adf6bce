"""Which samples a split has, and in which shard each stands: whole columns at once, for millions of people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from pipeline.posetrack.index import Index
from pipeline.refusal import Refusal
from pipeline.shards.columns import blocks
from pipeline.shards.recipe import SPLITS, ShardConfig, Split


def clips(index: Index) -> dict[Split, pd.DataFrame]:
    """The samples of each split, in order of video, frame and person.

    That is everyone with a labelled joint that counts, and in val everyone whom a detector found.

    Columns are `video` (categories in order of name), `frame`, `person`, and `row`, the position in `index.people`.

    Raises:
        Refusal: a split has no samples.
    """
    videos = pd.CategoricalDtype(sorted(index.frames["video"].unique()))
    people = index.people[["video", "frame", "person"]].astype({"video": videos})
    people["row"] = np.arange(len(people))
    split, is_sample = _split_of(people, index.frames), _is_labeled(index) | index.people["score"].notna().to_numpy()
    found = {}
    for name in SPLITS:
        is_here = np.asarray(split == name)
        _refuse_empty(name, people=int(is_here.sum()), samples=int((is_here & is_sample).sum()))
        found[name] = people[is_here & is_sample].sort_values(["video", "frame", "person"], ignore_index=True)
    return found


def _split_of(people: pd.DataFrame, frames: pd.DataFrame) -> "pd.Categorical[str]":
    """The split of each person's frame; none where the frame is not listed. Joins by one number, not by strings."""
    stride = int(max(frames["frame"].max(), people["frame"].max())) + 1
    videos = frames["video"].astype(people["video"].dtype)
    keys = videos.cat.codes.to_numpy(dtype=np.int64) * stride + frames["frame"].to_numpy()
    wanted = people["video"].cat.codes.to_numpy(dtype=np.int64) * stride + people["frame"].to_numpy()
    return pd.Categorical(frames["split"]).take(pd.Index(keys).get_indexer(wanted), allow_fill=True)


def _is_labeled(index: Index) -> Bool[np.ndarray, " N"]:
    """Which people have a labelled joint that counts."""
    scored = list(index.skeleton.scored)
    found = [(block[:, 2::3][:, scored] > 0).any(axis=1) for block in blocks(index.people["keypoints"])]
    return np.concatenate(found, dtype=bool)


def count_heads(index: Index, plan: pd.DataFrame) -> int:
    """How many samples of a plan have a head bbox with an area."""
    found = [(block[:, 2:] > block[:, :2]).all(axis=1) for block in blocks(index.people["head_bbox"])]
    return int(np.concatenate(found)[plan["row"]].sum())


def _refuse_empty(split: Split, *, people: int, samples: int) -> None:
    if samples == 0:
        lacks = "labelled joints" if people else "people"
        raise Refusal(f"split {split} has no {lacks}; see checks.json of stage prepare")


def assign(rows: pd.DataFrame, split: Split, config: ShardConfig) -> pd.DataFrame:
    """Give every sample its `shard`; rows come back in the order in which they are packed.

    Train and select are shuffled over all videos by the seed; val keeps its order. Shards differ by one sample at most.
    """
    if split != "val":
        order = np.random.default_rng([config.seed, SPLITS.index(split)]).permutation(len(rows))
        rows = rows.iloc[order].reset_index(drop=True)
    count = min(len(rows), max(config.min_shards, -(-len(rows) // config.samples_per_shard)))
    sizes = [len(part) for part in np.array_split(np.arange(len(rows)), count)]
    return rows.assign(shard=np.repeat(np.arange(count), sizes))


def refuse_overlap(index: Index, offsets: Sequence[int]) -> None:
    """No clip of train may share a frame with a clip of select.

    Raises:
        Refusal: the gap between them is smaller than what a clip spans.
    """
    span = max(*offsets, 0) - min(*offsets, 0)
    frames = index.frames[index.frames["is_labeled"]]
    last = frames[frames["split"] == "train"].groupby("video")["frame"].max()
    first = frames[frames["split"] == "select"].groupby("video")["frame"].min()
    near = (first - last).dropna()
    if len(near) and near.min() <= span:
        raise Refusal(
            f"model.clip.offsets: a clip spans {span + 1} frames, but only {int(near.min()) - 1} frames lie between "
            f"train and select in {near.idxmin()}; set `prepare.window` to at least {span + 1}"
        )
