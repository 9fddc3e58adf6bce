"""Clips a second that one core reads from shards, against whole frames, and against the decodes and crops alone.

All ways take the same people of the same drawn frames under the same random views, decode by `cv2.imdecode` in one
thread, and end with RGB bytes of 256 x 192. They run in turns in one process, whose memory allocator keeps what was
freed: with MALLOC_MMAP_THRESHOLD_ alone, page faults take up to half of the time of whichever way is unlucky.

The rival decodes each of a clip's 1280 x 720 frames and warps the person out of it. `as_published` also does what
public multi-frame repositories (DCPose and those after it) do besides: it turns whole frames from BGR to RGB, and crops
into normalised floats. The floor decodes and crops what is stored, from memory into a batch, and does nothing else.
`ours` is the reader with views alone, as the others have them; `ours_varied` also varies colours and spoils keyframes.
"""

import argparse
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.reading_settings import SIZE, reader_config, recipe_of
from dsn.skeleton import POSETRACK
from pipeline import params
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.dataset import draw_dataset
from pipeline.posetrack.index import PrepareConfig, build_index, read_index, write_index
from pipeline.shards.augment import AugmentConfig, draw_view, generator
from pipeline.shards.crop import Affine, Image, compose, inverse
from pipeline.shards.manifest import read_manifest
from pipeline.shards.order import training_places
from pipeline.shards.pack import pack_splits
from pipeline.shards.reader import ReaderConfig, training_batches
from pipeline.shards.records import RecordReader, records_of
from pipeline.shards.sample import ClipSample, from_json
from pipeline.shards.window import Window, cut, snapped

BATCH = 16
PRESETS = ("drawn", "posetrack18")
"""Whose `reader.augment` moves the views: the first is the default, the second turns and scales as the field does."""
ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1073741824", "MALLOC_TRIM_THRESHOLD_": "1073741824", "OMP_NUM_THREADS": "1"}
LIMITS = {"times_rival": 8.0, "share_of_floor": 0.85}
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What all ways make of one sample."""

    buffers: tuple[np.ndarray, ...]
    """The stored JPEGs of a clip."""
    to_stored: Affine
    window: Window | None
    files: tuple[Path, ...]
    """The frames that the clip was cropped from."""
    to_frame: Affine


def draw(root: Path, *, videos: int) -> None:
    """Draw a dataset of 1280 x 720, and index it beside its images."""
    config = params.load(Path("params.yaml"), "draw", into=DrawConfig)
    drawn = replace(
        config, size=(720, 1280), person_height=(280, 560), train_videos=videos, val_videos=1, train_frames=20,
        val_frames=10, labeled_frames=10, subframes=2, workers=1,
    )  # fmt: skip
    draw_dataset(root, drawn)
    index, _ = build_index(root, params.load(Path("params.yaml"), "prepare", into=PrepareConfig))
    write_index(index, root / "index")


def planned(root: Path, shards: Path, config: ReaderConfig) -> list[Work]:
    """The samples of the first epoch in the reader's order, with what the other ways need of them."""
    manifest = read_manifest(shards)
    frames = read_index(root / "index").frames
    files = {(row.video, row.frame): root / str(row.file) for row in frames.itertuples()}
    places = training_places(
        manifest, shuffle=config.shuffle, batch_size=BATCH, seed=0, epoch=0, rank=0, world=1
    ).tolist()
    works = []
    with RecordReader(records_of(manifest, shards)) as reader:
        for shard, place in places:
            members = reader.read(shard, place)
            sample = from_json(members["json"])
            to_frame, to_stored, window = geometry(sample, config.augment, stored=manifest.stored_size)
            works.append(
                Work(
                    buffers=tuple(np.frombuffer(members[f"{time}.jpg"], dtype=np.uint8) for time in range(5)),
                    to_stored=to_stored,
                    window=window,
                    files=tuple(files[sample.video, frame] for frame in sample.frames_used),
                    to_frame=to_frame,
                )
            )
    return works


def geometry(
    sample: ClipSample, augment: AugmentConfig, *, stored: tuple[int, int]
) -> tuple[Affine, Affine, Window | None]:
    """The view that the reader draws for a sample: to the frame, to the stored crop, and its window there."""
    rng = generator(0, epoch=0, key=sample.key)
    view = draw_view(sample, augment, rng, skeleton=POSETRACK, input_size=SIZE)
    to_stored, window = snapped(compose(inverse(sample.affine), view.to_source), size=SIZE, image=stored)
    return view.to_source, to_stored, window


def floor(works: Sequence[Work]) -> None:
    """Decode and crop what is stored, and do nothing else."""
    frames = np.empty((BATCH, 5, *SIZE, 3), dtype=np.uint8)
    for row, work in enumerate(works):
        for position, data in enumerate(work.buffers):
            cut(frames[row % BATCH, position], decoded(data), affine=work.to_stored, window=work.window)


def rival(works: Sequence[Work]) -> None:
    """Decode whole frames and warp the person out of each."""
    for work in works:
        np.stack([warped(decoded(np.fromfile(file, dtype=np.uint8)), work.to_frame) for file in work.files])


def as_published(works: Sequence[Work]) -> None:
    """As the rival, with colours turned in whole frames and normalised floats as the result."""
    for work in works:
        crops = []
        for file in work.files:
            frame = cv2.imdecode(np.fromfile(file, dtype=np.uint8), cv2.IMREAD_COLOR)
            assert frame is not None
            frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            crops.append((warped(frame, work.to_frame) / np.float32(255) - MEAN) / DEVIATION)
        np.stack(crops).transpose(0, 3, 1, 2).copy()


def decoded(data: np.ndarray) -> Image:
    """RGB bytes."""
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return image


def warped(frame: Any, affine: Affine) -> Image:
    """The crop of a whole frame."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, affine, (SIZE[1], SIZE[0]), flags=flags)


def per_second(action: Callable[[], object], *, clips: int) -> float:
    """Clips a second of CPU time, which other processes do not take away."""
    began = time.process_time()
    action()
    return clips / (time.process_time() - began)


def ours(shards: Path, config: ReaderConfig, *, clips: int) -> float:
    """Clips a second of the reader."""
    batches = training_batches(shards, config, input_size=SIZE, batch_size=BATCH, seed=0, epoch=0, rank=0, world=1)
    return per_second(lambda: deque(islice(batches, clips // BATCH), maxlen=0), clips=clips)


def compare(root: Path, preset: str, *, clips: int, rounds: int) -> dict[str, object]:
    """Medians of all ways, by turns, under the views of a preset."""
    config = reader_config(preset, workers=0, prefetch=0)
    shards = root / preset
    packed = pack_splits(read_index(root / "index"), root, shards, recipe_of(config.augment), run=map)
    works = planned(root, shards / "train", config)
    works = works[: min(clips, len(works)) // BATCH * BATCH]
    few = works[: max(1, len(works) // 8)]
    plain = replace(config, augment=replace(config.augment, color=0.0, occluder=0.0, keyframe_dropout=0.0))
    ways: dict[str, Callable[[], float]] = {
        "floor": lambda: per_second(partial(floor, works), clips=len(works)),
        "ours": lambda: ours(shards / "train", plain, clips=len(works)),
        "ours_varied": lambda: ours(shards / "train", config, clips=len(works)),
        "rival": lambda: per_second(partial(rival, few), clips=len(few)),
        "as_published": lambda: per_second(partial(as_published, few), clips=len(few)),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            speed = way()
            found[name] += [speed] if turn else []  # the first turn warms up
    speeds = {name: statistics.median(values) for name, values in found.items()}
    return {
        "clips": len(works),
        "clips_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "times_rival": round(speeds["ours"] / speeds["rival"], 2),
        "times_as_published": round(speeds["ours"] / speeds["as_published"], 2),
        "share_of_floor": round(speeds["ours"] / speeds["floor"], 3),
        "stored_size": read_manifest(shards / "train").stored_size,
        "bytes_per_clip": round(packed.size / sum(packed.samples.values())),
    }


def holds(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether every preset reaches every limit."""
    return all(found[preset][name] >= limit for preset in PRESETS for name, limit in LIMITS.items())


def main() -> None:
    """Print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=6, help="for training, in the dataset that is drawn")
    parser.add_argument("--clips", type=int, default=192, help="that are read in a turn, at most")
    parser.add_argument("--rounds", type=int, default=9)
    given = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        command = [sys.executable, "-m", "benchmarks.reading", *sys.argv[1:]]
        sys.exit(subprocess.run(command, env=os.environ | ALLOCATOR, check=False).returncode)
    logging.disable(logging.INFO)
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "drawn")
        draw(root, videos=given.videos)
        found = {name: compare(root, name, clips=given.clips, rounds=given.rounds) for name in PRESETS}
    print(json.dumps({"benchmark": "reading", **found, "limits": LIMITS, "holds": holds(found)}))


if __name__ == "__main__":
    main()
