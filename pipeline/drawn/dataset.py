"""The dataset in PoseTrack18's layout: each video is decided by a seed of its own, and processes share them out."""

import json
import logging
import multiprocessing
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.artifacts import write_text
from pipeline.drawn.annotations import labelled_frames, video_name
from pipeline.drawn.config import DrawConfig
from pipeline.drawn.scene import build_scene
from pipeline.drawn.video import annotation, load_film, picture
from pipeline.refusal import Refusal

logger = logging.getLogger(__name__)
FIRST_NUMBER = {"train": 1, "val": 5001}
INTERVAL = 5.0
"""Seconds between two lines of progress."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoPlan:
    """One video to draw."""

    split: str
    """`train` or `val`."""
    number: int
    """PoseTrack's number of the video."""
    first_person: int
    """Number of its first person in the whole dataset; the following people have the following numbers."""
    people: int


def draw_dataset(out: Path, config: DrawConfig) -> None:
    """Draw the whole dataset into the folder `out`, which must be new or empty.

    Raises:
        Refusal: there is something in `out`.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refusal(f"{out}: got a folder with something in it, wanted a new or empty one; remove it first")
    plans = plan_videos(config)
    begun = last = time.monotonic()
    people = 0
    with _drawers(out, config=config, plans=plans) as finished:
        for done, count in enumerate(finished, start=1):
            people += count
            now = time.monotonic()
            if now - last > INTERVAL or done == len(plans):
                left = (now - begun) / done * (len(plans) - done)
                logger.info("draw: %d of %d videos, %d labelled people, %.0f s left", done, len(plans), people, left)
                last = now


def plan_videos(config: DrawConfig) -> list[VideoPlan]:
    """All videos, with people numbered through the dataset so that nobody is in two of them."""
    rng = np.random.default_rng([config.seed, 1])
    plans: list[VideoPlan] = []
    person = 0
    for split, count in (("train", config.train_videos), ("val", config.val_videos)):
        for index in range(count):
            people = int(rng.integers(config.people[0], config.people[1] + 1))
            number = FIRST_NUMBER[split] + index
            plans.append(VideoPlan(split=split, number=number, first_person=person, people=people))
            person += people
    return plans


def draw_video(root: Path, *, plan: VideoPlan, config: DrawConfig) -> int:
    """Draw one video and its labels below `root`; gives the number of its labelled people, counted in every frame."""
    rng = np.random.default_rng([config.seed, 2, plan.number])
    is_train = plan.split == "train"
    frames = config.train_frames if is_train else config.val_frames
    scene = build_scene(frames, first_number=plan.first_person, people=plan.people, config=config, rng=rng)
    film = load_film(config.size, rng)
    name = video_name(plan.number, plan.split)
    (root / "images" / plan.split / name).mkdir(parents=True)
    quality = [cv2.IMWRITE_JPEG_QUALITY, config.jpeg_quality]
    chosen = labelled_frames(frames, middle=config.labeled_frames, step=None if is_train else config.val_label_step)
    labels = annotation(scene, plan.number, split=plan.split, is_labelled=chosen, config=config)
    for frame, entry in enumerate(labels["images"]):
        _, encoded = cv2.imencode(".jpg", picture(scene, frame, config=config, film=film), quality)
        (root / entry["file_name"]).write_bytes(encoded.tobytes())
    target = root / "posetrack_data" / "annotations" / plan.split / f"{name}.json"
    write_text(target, json.dumps(labels, allow_nan=False, separators=(",", ":")) + "\n")
    return len(labels["annotations"])


@contextmanager
def _drawers(out: Path, *, config: DrawConfig, plans: list[VideoPlan]) -> Iterator[Iterable[int]]:
    """Draws all videos, in this process or in several; the numbers of labelled people come as videos are done."""
    if config.workers == 1:
        yield (draw_video(out, plan=plan, config=config) for plan in plans)
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(config.workers, mp_context=spawn, initializer=cv2.setNumThreads, initargs=(1,))
    try:
        # The longest first, so that no process is left alone with one at the end.
        ordered = sorted(plans, key=lambda plan: (plan.split != "val", -plan.people, plan.number))
        futures = [pool.submit(draw_video, out, plan=plan, config=config) for plan in ordered]
        yield (future.result() for future in as_completed(futures))
    finally:
        pool.shutdown(cancel_futures=True)
