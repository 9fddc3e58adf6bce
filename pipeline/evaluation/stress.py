"""The stress test: clips are degraded, and the readouts are compared with honest controls.

Every method crops by the bbox interpolated from the neighbouring labelled frames: the keyframe's own bbox is the extent
of its keypoints, and would tell a blind method the pose.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from dsn.checkpoint import Loaded, load
from dsn.config import ModelConfig
from dsn.network import DSN, SingleFrame
from dsn.sight import sight
from pipeline.artifacts import read_json, resolved, sha256, write_json
from pipeline.device import usable
from pipeline.evaluation.conditions import Condition, Grid
from pipeline.evaluation.degrade import gather_donors
from pipeline.evaluation.errors import labels_of
from pipeline.evaluation.examples import Album, choose
from pipeline.evaluation.kinds import Donors
from pipeline.evaluation.methods import SEES, Networks
from pipeline.evaluation.motion import BINS, EVERYONE, motion
from pipeline.evaluation.outcome import Outcome, run_all, select
from pipeline.evaluation.predict import refuse_misfit, table
from pipeline.evaluation.progress import told
from pipeline.evaluation.results import Measured, by_severity, headline, mean_retention, nested, rows
from pipeline.evaluation.scorer import annotated_people, scorer_of_some
from pipeline.evaluation.statistics import draw_videos
from pipeline.evaluation.stress_config import StreamConfig, StressConfig
from pipeline.evaluation.strides import footage_of, strided
from pipeline.evaluation.verdict import SEVERE, Claim, Curves, judge_claim
from pipeline.posetrack.index import Index, read_index
from pipeline.posetrack.official import is_evaluated
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches, read_samples
from pipeline.shards.sample import ClipSample
from pipeline.tracking.lineage import data_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What the stress test reads."""

    index: Path
    """Folder of the index, with the official ground truth."""
    root: Path
    """The dataset's folder, whose images strides above 1 read."""
    val: Path
    """Shards of val."""


def stress(config: StressConfig, model: Loaded, control: Loaded, *, data: Data, out: Path) -> None:
    """Degrade val's clips; write metrics.json, curves.csv, severity.csv and examples/ into `out`.

    Args:
        config: what is tried.
        model: the network under test, of both streams.
        control: the single-frame network, trained as long.
        data: what is read.
        out: where the results go.

    Raises:
        Refusal: an input is missing or does not fit, or nobody in val can be evaluated.
    """
    stream = _stream(config.single_stream)
    networks = _networks(model, control, stream=stream)
    for loaded in (model, control, stream):
        if loaded is not None:
            refuse_misfit(loaded, read_manifest(data.val))
    networks.to(usable(config.device, key="stress.device"))
    samples = [sample for sample in read_samples(data.val) if sample.score is None]
    keys = chosen_keys(samples, limit=config.max_samples, seed=config.seed)
    index = read_index(data.index)
    outcome = _run(config, networks, keys, data=data, index=index, out=out)
    measured = _measured(config, outcome, index=index, folder=data.index / "truth" / "val")
    found = rows(measured)
    pd.DataFrame(found).to_csv(out / "curves.csv", index=False, lineterminator="\n", float_format="%.6g")
    points = headline(found)
    pd.DataFrame(by_severity(points)).to_csv(out / "severity.csv", index=False, lineterminator="\n")
    curves = measured.curves[EVERYONE]
    claims = [Claim(kind=kind, stride=stride) for stride in config.strides for kind in config.kinds]
    val = data_hash(read_json(data.val / "manifest.json"))
    write_json(
        out / "metrics.json",
        {
            "data_hash": val,
            "grid_hash": measured.grid.digest(max_samples=config.max_samples, data=val),
            "metric": curves.metric,
            "boxes": "neighbour",
            "people": len(outcome.samples),
            "left_out": sum(not can_be_evaluated(sample) for sample in samples),
            "videos": curves.videos,
            "controls": list(curves.controls),
            "controls_missing": list(curves.missing),
            "motion": dict(measured.people),
            "retention": mean_retention(points),
            "methods": nested(points),
            "verdict": {claim.name: judge_claim(curves, claim, grid=measured.grid) for claim in claims},
            "config": resolved(stress=config),
        },
    )


def can_be_evaluated(sample: ClipSample) -> bool:
    """Whether there is a bbox that the keyframe did not give, and no supporting frame is the keyframe itself."""
    return sample.neighbour_bbox is not None and sample.frames_used.count(sample.frame) == 1


def chosen_keys(samples: list[ClipSample], *, limit: int | None, seed: int) -> tuple[str, ...]:
    """Keys of those who are evaluated, at most `limit`, drawn by the seed, in the samples' order.

    Raises:
        Refusal: there is nobody.
    """
    keys = [sample.key for sample in samples if can_be_evaluated(sample)]
    if not keys:
        raise Refusal(
            f"val: got {len(samples)} people, none of them labelled both before and after a keyframe, wanted at least "
            "one: the stress test takes the keyframe's bbox from there; raise `shard.reach` or use denser labels"
        )
    drawn = np.sort(np.random.default_rng(seed).permutation(len(keys))[:limit])
    return tuple(keys[row] for row in drawn)


def _networks(model: Loaded, control: Loaded, *, stream: Loaded | None) -> Networks:
    if not isinstance(model.network, DSN) or not isinstance(control.network, SingleFrame):
        got = f"{type(model.network).__name__} and {type(control.network).__name__}"
        raise Refusal(f"stress: got {got}, wanted a registered DSN and a SingleFrame control; run `dvc repro`")
    refuse_sighted(model.config)
    for name, other in (("control", control), ("stress.single_stream", stream)):
        if other is not None and _shared(other) != _shared(model):
            raise Refusal(
                f"{name}: got a network of other clips, crops or heatmaps than the registered one's, wanted the same; "
                "train it with the same `model.clip`, `model.input_size` and `model.heatmap`"
            )
    clips = None if stream is None else stream.network
    if isinstance(clips, SingleFrame):
        raise Refusal("stress.single_stream: got a SingleFrame, wanted a network that sees clips")
    return Networks(dual=model.network, single=control.network, model=model.config, stream=clips)


def refuse_sighted(config: ModelConfig) -> None:
    """Refuse a network whose temporal readout sees the keyframe, which the claim says it does without."""
    if "keyframe" in sight(config).get("temporal", ()):
        raise Refusal(
            "stress: got a network whose temporal readout sees the keyframe, wanted one that never sees it, to compare "
            "with; such networks are scored by `dvc repro evaluate` alone, or compared with as stress.single_stream"
        )


def _shared(loaded: Loaded) -> tuple[object, ...]:
    """What all networks share: they are shown the same crops, and one codec reads their heatmaps."""
    return loaded.config.clip, loaded.config.input_size, loaded.config.heatmap


def _stream(config: StreamConfig | None) -> Loaded | None:
    """The control that is trained apart, checked to be the one that params.yaml means."""
    if config is None:
        return None
    weights = config.folder / "network.safetensors"
    if not weights.is_file():
        raise Refusal(f"stress.single_stream.folder: {weights} is no file; wanted one that stage train wrote, or null")
    found = sha256(weights)
    if found != config.sha256:
        raise Refusal(f"stress.single_stream.sha256: got {config.sha256}, wanted {found}, as {weights} is")
    return load(config.folder)


def _grid(config: StressConfig) -> Grid:
    return Grid(
        kinds=config.kinds,
        severities=config.severities,
        targets=config.targets,
        strides=config.strides,
        seed=config.seed,
    )


def _run(
    config: StressConfig, networks: Networks, keys: tuple[str, ...], *, data: Data, index: Index, out: Path
) -> Outcome:
    grid, wanted = _grid(config), frozenset(keys)
    donors = _donors(config, networks, wanted, val=data.val)
    found = [condition.degradation for condition in grid.conditions(1)]
    hard = [how for how in found if how is not None and how.target == "keyframe" and how.severity >= SEVERE]
    examples = choose(keys, hard, count=config.examples, seed=config.seed)
    album = Album(out / "examples", examples, clip=read_manifest(data.val).clip, donors=donors)
    batches = _batches(config, networks, val=data.val)
    chosen = _seen(batches, wanted, album=album)
    stride = partial(strided, footage=footage_of(index, data.root), clip=networks.clip)
    outcome = run_all(networks, told(chosen, total=len(keys), what="stress"), grid=grid, stride=stride, donors=donors)
    album.close(outcome)
    return outcome


def _batches(
    config: StressConfig, networks: Networks, *, val: Path, keyframe_only: bool = False
) -> Iterator[ClipBatch]:
    size = networks.model.input_size
    return evaluation_batches(
        val, input_size=size, batch_size=config.batch_size, bbox="neighbour", keyframe_only=keyframe_only
    )


def _donors(config: StressConfig, networks: Networks, keys: frozenset[str], *, val: Path) -> Donors:
    """Keyframes of those who are evaluated; none where no kind asks for them."""
    if "foreign" not in config.kinds:
        return Donors(frames=torch.zeros((0, 3, *networks.model.input_size), dtype=torch.uint8), videos=())
    batches = _batches(config, networks, val=val, keyframe_only=True)
    return gather_donors((select(batch, keys) for batch in batches), position=0)


def _seen(batches: Iterable[ClipBatch], keys: frozenset[str], *, album: Album) -> Iterator[ClipBatch]:
    """Those chosen of the batches' samples, which the album has looked at."""
    for batch in batches:
        chosen = select(batch, keys)
        if chosen.keys:
            album.look(chosen)
            yield chosen


def _measured(config: StressConfig, outcome: Outcome, *, index: Index, folder: Path) -> Measured:
    """AP of everything: of everyone with draws of the videos, and by motion."""
    labels = labels_of(outcome.samples, skeleton=index.skeleton, by_head=is_evaluated(index.skeleton))
    speed = motion(outcome.samples, labels, people=annotated_people(index))
    bins = {name: (speed >= low) & (speed < high) for name, (low, high) in BINS.items()}
    everyone = {EVERYONE: np.ones(len(speed), dtype=np.bool_)}
    slices = everyone | {name: found for name, found in bins.items() if found.any()}
    times = draw_videos(int(labels.video.max()) + 1, draws=config.draws, seed=config.seed)
    return Measured(
        outcome=outcome,
        labels=labels,
        skeleton=index.skeleton,
        grid=_grid(config),
        curves={
            name: _curves(
                outcome, who, index=index, folder=folder, config=config, draws=config.draws * (name == EVERYONE)
            )
            for name, who in slices.items()
        },
        people={name: int(found.sum()) for name, found in (everyone | bins).items()},
        times=times,
    )


def _curves(outcome: Outcome, who: Any, *, index: Index, folder: Path, config: StressConfig, draws: int) -> Curves:
    """AP of some of the people on the videos and on draws of them."""
    first = table(outcome.samples, outcome.of("final", Condition(stride=1)))[who]
    scorer = scorer_of_some(index, folder, rows=first)
    times = draw_videos(len(scorer.videos), draws=draws, seed=config.seed)
    ap = {
        method: {
            condition: scorer.drawn(table(outcome.samples, poses)[who], times)
            for condition, poses in outcome.poses[method].items()
        }
        for method in SEES
        if method in outcome.poses
    }
    return Curves(metric=scorer.metric, ap=ap, videos=len(scorer.videos))
