"""The stress test: the keyframe is degraded, and the readouts are compared with honest controls.

Every method crops by the bbox interpolated from the neighbouring labelled frames: the keyframe's own bbox is the extent
of its keypoints, and would tell a blind method the pose.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dsn.checkpoint import Loaded
from dsn.network import DSN, SingleFrame
from dsn.sight import sight
from pipeline.artifacts import read_json, write_json
from pipeline.evaluation.conditions import METHODS, Grid, Networks, Outcome, run_all, select
from pipeline.evaluation.degrade import WORST, Kind
from pipeline.evaluation.examples import Album, choose
from pipeline.evaluation.predict import refuse_misfit, table
from pipeline.evaluation.progress import told
from pipeline.evaluation.scorer import scorer_of_some
from pipeline.evaluation.statistics import draw_videos
from pipeline.evaluation.verdict import SEVERE, Curves, judge_kind, mean_retention, nested, rows
from pipeline.posetrack.index import read_index
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import evaluation_batches, read_samples
from pipeline.shards.sample import ClipSample
from pipeline.tracking.lineage import data_hash


@dataclass(frozen=True, slots=True, kw_only=True)
class StressConfig:
    """Which degradations are tried, and how (section `stress`)."""

    kinds: tuple[Kind, ...]
    """What is done to the keyframe."""
    severities: tuple[int, ...]
    """How badly, from 1 to 5; clean keyframes are scored as well."""
    seed: int
    """Decides the degraded pixels, the examples, the draws of videos and, with `max_samples`, who is evaluated."""
    batch_size: int
    """Clips in one forward pass."""
    max_samples: int | None
    """The largest number of people evaluated; null evaluates all."""
    draws: int
    """Draws of videos behind the intervals."""
    examples: int
    """Clips shown in the report."""

    def __post_init__(self) -> None:
        """Refuse what tests nothing."""
        if not self.kinds or len(set(self.kinds)) < len(self.kinds):
            raise ValueError(f"kinds: got {list(self.kinds)}, wanted at least one and none twice")
        ordered = sorted({severity for severity in self.severities if 1 <= severity <= WORST})
        if list(self.severities) != ordered or not ordered or ordered[-1] < SEVERE:
            wanted = f"ascending numbers from 1 to {WORST}, one of them at least {SEVERE}"
            raise ValueError(f"severities: got {list(self.severities)}, wanted {wanted}")
        for name in ("batch_size", "draws"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: got {getattr(self, name)}, wanted at least 1")
        if self.max_samples is not None and self.max_samples < 1:
            raise ValueError(f"max_samples: got {self.max_samples}, wanted at least 1 or null")
        if self.examples < 0:
            raise ValueError(f"examples: got {self.examples}, wanted at least 0")


def stress(config: StressConfig, model: Loaded, control: Loaded, *, index: Path, val: Path, out: Path) -> None:
    """Degrade val's keyframes; write metrics.json, curves.csv and examples/ into `out`.

    Args:
        config: what is tried.
        model: the network under test, of both streams.
        control: the single-frame network, trained as long.
        index: folder of the index, with the official ground truth.
        val: shards of val.
        out: where the results go.

    Raises:
        Refusal: an input is missing or does not fit, or nobody in val can be evaluated.
    """
    networks = _networks(model, control)
    for loaded in (model, control):
        refuse_misfit(loaded, read_manifest(val))
    samples = [sample for sample in read_samples(val) if sample.score is None]
    keys = chosen_keys(samples, limit=config.max_samples, seed=config.seed)
    outcome = _run(config, networks, keys, val=val, out=out)
    curves = _curves(config, outcome, index=index)
    points = rows(curves, kinds=config.kinds, severities=config.severities)
    pd.DataFrame(points).to_csv(out / "curves.csv", index=False, lineterminator="\n")
    write_json(
        out / "metrics.json",
        {
            "data_hash": data_hash(read_json(val / "manifest.json")),
            "metric": curves.metric,
            "boxes": "neighbour",
            "people": len(outcome.samples),
            "left_out": sum(not can_be_evaluated(sample) for sample in samples),
            "videos": curves.videos,
            "retention": mean_retention(points),
            "methods": nested(points),
            "verdict": {kind: judge_kind(curves, kind, severities=config.severities) for kind in config.kinds},
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


def _networks(model: Loaded, control: Loaded) -> Networks:
    if not isinstance(model.network, DSN) or not isinstance(control.network, SingleFrame):
        got = f"{type(model.network).__name__} and {type(control.network).__name__}"
        raise Refusal(f"stress: got {got}, wanted a registered DSN and a SingleFrame control; run `dvc repro`")
    if "keyframe" in sight(model.config).get("temporal", {"keyframe"}):
        raise Refusal(
            "stress: got a network without a temporal readout that never sees the keyframe, wanted one with it, to "
            "compare with; such presets as single_frame are scored by `dvc repro evaluate` alone"
        )
    return Networks(dual=model.network, single=control.network, model=model.config)


def _run(config: StressConfig, networks: Networks, keys: tuple[str, ...], *, val: Path, out: Path) -> Outcome:
    grid = Grid(kinds=config.kinds, severities=config.severities, seed=config.seed)
    hard = [how for how in grid.degradations().values() if how.severity >= SEVERE]
    examples = choose(keys, hard, count=config.examples, seed=config.seed)
    album = Album(out / "examples", examples, clip=read_manifest(val).clip)
    batches = evaluation_batches(
        val, input_size=networks.model.input_size, batch_size=config.batch_size, bbox="neighbour"
    )
    chosen = _seen(batches, frozenset(keys), album=album)
    outcome = run_all(networks, told(chosen, total=len(keys), what="stress"), grid=grid)
    album.close(outcome)
    return outcome


def _seen(batches: Iterable[ClipBatch], keys: frozenset[str], *, album: Album) -> Iterator[ClipBatch]:
    """Those chosen of the batches' samples, which the album has looked at."""
    for batch in batches:
        chosen = select(batch, keys)
        if chosen.keys:
            album.look(chosen)
            yield chosen


def _curves(config: StressConfig, outcome: Outcome, *, index: Path) -> Curves:
    """AP of everything, on the videos and on draws of them."""
    first = table(outcome.samples, outcome.of("final", "clean"))
    scorer = scorer_of_some(read_index(index), index / "truth" / "val", rows=first)
    times = draw_videos(len(scorer.videos), draws=config.draws, seed=config.seed)
    ap = {
        method: {
            name: scorer.drawn(table(outcome.samples, poses), times) for name, poses in outcome.poses[method].items()
        }
        for method in METHODS
    }
    return Curves(metric=scorer.metric, ap=ap, videos=len(scorer.videos))
