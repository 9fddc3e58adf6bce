"""People-frames a second of `predict` on a video of 1280 x 720 pixels with four people, against five passes a keyframe.

The rival reads the same frames with the same bboxes and writes nothing: for every keyframe and person it crops the five
frames of the window and takes them through the whole network. Both run the default network of params.yaml with random
weights in one process, and write no overlay, whose encoder would hide both. `outside` is the share of the time of
`predict` that is spent neither in the network nor in the decoder. Memory is the peak of processes that predict 30, 300
and 3,000 frames.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter
from typing import TypeVar

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.peak_memory import peak_mb
from dsn.checkpoint import Loaded
from dsn.codec import decode
from dsn.config import ModelConfig
from dsn.network import DSN, build
from dsn.pixels import normalize
from dsn.skeleton import POSETRACK
from dsn.streaming import supporting_frames
from pipeline import params
from pipeline.inference.engine import TorchEngine
from pipeline.inference.footage import Footage, Frame, find_footage
from pipeline.inference.outputs import outputs
from pipeline.inference.people import Found
from pipeline.inference.predict import predict
from pipeline.inference.reading import Reader, crop
from pipeline.shards.crop import region
from pipeline.shards.sample import Bbox

T = TypeVar("T")
SIZE = (720, 1280)
PEOPLE = 4
WANTED = 3.0
"""At least so many times the rival's rate."""
OUTSIDE = 0.15
"""At most this share of the time."""
BATCH = 32


class TimedEngine(TorchEngine):
    """Knows how long the network took."""

    seconds = 0.0

    def encode(self, pixels: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B N C"]:
        """As the engine does."""
        return self._timed(lambda: TorchEngine.encode(self, pixels))

    def answer(self, shown: Float[Tensor, "B N C"], supporting: Float[Tensor, "B S N C"]) -> Float[Tensor, "B K h w"]:
        """As the engine does."""
        return self._timed(lambda: TorchEngine.answer(self, shown, supporting))

    def _timed(self, work: Callable[[], T]) -> T:
        begin = perf_counter()
        found = work()
        self.seconds += perf_counter() - begin
        return found


def main(frames: int, *, rounds: int, with_memory: bool) -> None:
    """Print one line of JSON."""
    loaded = random_network()
    with tempfile.TemporaryDirectory() as folder:
        video = draw(Path(folder, "walk.mp4"), frames)
        ours, theirs = [], []
        for number in range(rounds):
            ours.append(run(loaded, video, Path(folder, str(number))))
            theirs.append(rival(loaded, video))
    seconds, network, decoder = np.median(np.array(ours), axis=0).tolist()
    rate, slow = PEOPLE * frames / seconds, PEOPLE * frames / float(np.median(theirs))
    told = {
        "benchmark": "predicting",
        "threads": torch.get_num_threads(),
        "frames": frames,
        "rounds": rounds,
        "people_frames_per_s": round(rate, 1),
        "rival_people_frames_per_s": round(slow, 1),
        "times_rival": round(rate / slow, 2),
        "wanted_times": WANTED,
        "outside": round(1 - (network + decoder) / seconds, 3),
        "wanted_outside": OUTSIDE,
        "peak_mib": {str(count): peak(count) for count in (30, 300, 3000)} if with_memory else None,
    }
    print(json.dumps(told))


def random_network() -> Loaded:
    """The default network."""
    torch.manual_seed(0)
    config = params.load(Path("params.yaml"), "model", into=ModelConfig)
    return Loaded(network=build(config, POSETRACK).eval(), config=config, skeleton=POSETRACK)


def draw(path: Path, frames: int) -> Path:
    """A ground of noise that moves by a pixel a frame."""
    noise = np.random.default_rng(0).integers(0, 255, (SIZE[0] // 8, SIZE[1] // 4, 3)).astype(np.uint8)
    ground = np.asarray(cv2.resize(noise, (2 * SIZE[1], SIZE[0]), interpolation=cv2.INTER_CUBIC))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, (SIZE[1], SIZE[0]))
    for position in range(frames):
        left = position % SIZE[1]
        writer.write(np.ascontiguousarray(ground[:, left : left + SIZE[1]]))
    writer.release()
    return path


def bboxes(position: int) -> dict[int, Bbox]:
    """Four people of 300 pixels who walk to and fro by two pixels a frame."""
    shift = 2.0 * abs(position % 100 - 50)
    return {
        person: (120.0 + 280 * person + shift, 200.0, 240.0 + 280 * person + shift, 500.0) for person in range(PEOPLE)
    }


def run(loaded: Loaded, video: Path, out: Path) -> tuple[float, float, float]:
    """Seconds of `predict`, of its network and of its decoder."""
    (footage,) = find_footage([str(video)], fps=25.0)
    engine, decoded = TimedEngine(loaded, device="cpu"), [0.0]
    reader = Reader(engine, loaded.config, batch=BATCH)
    begin = perf_counter()
    posed = predict(
        _timed_frames(footage, decoded), _find, reader, size=loaded.config.input_size, batch=BATCH, is_wished=_never
    )
    with outputs(out, footage, skeleton=loaded.skeleton, with_overlay=False) as write:
        for one in posed:
            write(one)
    return perf_counter() - begin, engine.seconds, decoded[0]


def _find(frame: Frame) -> list[tuple[int, Found]]:
    found = bboxes(frame.position)
    return [(person, Found(bbox=bbox, score=1.0, track_id=person)) for person, bbox in found.items()]


def _never() -> bool:
    return False


def _timed_frames(footage: Footage, seconds: list[float]) -> Iterator[Frame]:
    frames = footage.frames()
    while True:
        begin = perf_counter()
        frame = next(frames, None)
        seconds[0] += perf_counter() - begin
        if frame is None:
            return
        yield frame


@torch.inference_mode()
def rival(loaded: Loaded, video: Path) -> float:
    """Seconds of the loop that reads every window anew."""
    assert isinstance(loaded.network, DSN)
    (footage,) = find_footage([str(video)], fps=25.0)
    config = loaded.config
    size, offsets = config.input_size, config.clip.offsets
    begin = perf_counter()
    held: deque[Frame] = deque(maxlen=max(offsets) - min(offsets) + 1)
    for frame in footage.frames():
        held.append(frame)
        images = {one.position: one.image for one in held}
        keyframe = frame.position - max(offsets)
        if keyframe < 0:
            continue
        frames = (keyframe, *supporting_frames(keyframe, offsets=offsets, first=min(images), last=frame.position))
        for bbox in bboxes(keyframe).values():
            where = region(bbox, size=size)
            pixels = torch.from_numpy(np.stack([crop(images[at], where, size=size) for at in frames]))
            clip = normalize(pixels.permute(0, 3, 1, 2))
            decode(loaded.network(clip[:1], clip[None, 1:]).final, input_size=size, config=config.heatmap)
    return perf_counter() - begin


def peak(frames: int) -> int:
    """MiB at most in use by a process that predicts so many frames."""
    command = [sys.executable, "-m", "benchmarks.predicting", "--only-memory", str(frames)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def memory(frames: int) -> None:
    """Print the peak of this process after a prediction."""
    with tempfile.TemporaryDirectory() as folder:
        run(random_network(), draw(Path(folder, "walk.mp4"), frames), Path(folder, "out"))
    print(peak_mb())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--with-memory", action="store_true", help="also predict 30, 300 and 3,000 frames alone")
    parser.add_argument("--only-memory", type=int, help="predict so many frames and print the peak")
    given = parser.parse_args()
    if given.only_memory:
        memory(given.only_memory)
    else:
        main(given.frames, rounds=given.rounds, with_memory=given.with_memory)
