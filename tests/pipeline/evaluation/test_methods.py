import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dsn.checkpoint import Loaded
from dsn.network import build
from dsn.skeleton import POSETRACK
from pipeline.evaluation.conditions import Condition, Grid
from pipeline.evaluation.degrade import Degradation
from pipeline.evaluation.kinds import Donors
from pipeline.evaluation.methods import SEES, Networks, cut, shuffle, support, supporting_times
from pipeline.evaluation.outcome import Outcome, run_all, select
from pipeline.evaluation.predict import predict
from pipeline.shards.reader import evaluation_batches
from tests.world import networks

clips = importlib.import_module("tests.world.clips")

NO_DONORS = Donors(frames=torch.zeros((0, 3, 64, 48), dtype=torch.uint8), videos=())
METHODS = tuple(method for method in SEES if method != "single_stream")
CLEAN = Condition(stride=1)


def black(severity: int = 5) -> Condition:
    return Condition(stride=1, degradation=Degradation(kind="black", severity=severity, seed=0))


def run(networks: Networks, batches: Any, *, kinds: Any = ("black",), targets: Any = ("keyframe",)) -> Outcome:
    grid = Grid(kinds=kinds, severities=(5,), targets=targets, strides=(1,), seed=0)
    return run_all(networks, batches, grid=grid, stride=lambda batch, _: batch, donors=NO_DONORS)


def networks_of(loaded: tuple[Loaded, Loaded]) -> Networks:
    dual, single = loaded
    return Networks(dual=dual.network, single=single.network, model=dual.config, stream=None)  # type: ignore[arg-type]


def test_a_degraded_keyframe_changes_only_those_who_see_it(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    batches = list(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))[:1]

    outcome = run(networks_of(loaded), batches, kinds=("black", "noise"))

    noise = Condition(stride=1, degradation=Degradation(kind="noise", severity=5, seed=0))
    seeing = {method for method in METHODS if "keyframe" in SEES[method]}
    assert {method: set(by_name) for method, by_name in outcome.poses.items()} == {
        method: {CLEAN, black(), noise} if method in seeing else {CLEAN} for method in METHODS
    }
    for method in seeing:
        scores = [outcome.of(method, condition).scores for condition in (CLEAN, black(), noise)]
        assert not np.allclose(scores[0], scores[1])
        assert not np.allclose(scores[1], scores[2])
    assert outcome.of("temporal", black()) is outcome.of("temporal", CLEAN)


def test_degraded_supporting_frames_change_only_those_who_see_them(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    batches = list(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))[:1]

    outcome = run(networks_of(loaded), batches, targets=("keyframe", "supporting"))

    spoilt = Condition(stride=1, degradation=Degradation(kind="black", severity=5, seed=0, target="supporting"))
    for method in METHODS:
        assert (spoilt in outcome.poses[method]) == ("supporting" in SEES[method]), method
    for method in ("temporal", "copy", "interpolation", "mean_heatmaps"):
        assert not np.allclose(outcome.of(method, spoilt).scores, outcome.of(method, CLEAN).scores), method


def test_work_shared_between_conditions_gives_what_the_whole_network_gives(
    packed: Path, loaded: tuple[Loaded, Loaded]
) -> None:
    dual, single = loaded
    batches = list(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))[:2]
    stills = [replace(batch, frames=batch.frames[:, 2:3].expand_as(batch.frames)) for batch in batches]

    outcome = run(networks_of(loaded), batches)
    whole = predict(dual.network, batches, model=dual.config, readouts=("final", "temporal"))
    alone = predict(single.network, batches, model=dual.config, readouts=("final",))
    still = predict(dual.network, stills, model=dual.config, readouts=("final",))

    wanted = {
        "final": whole["final"],
        "temporal": whole["temporal"],
        "single_frame": alone["final"],
        "still": still["final"],
    }
    for method, rows in wanted.items():
        np.testing.assert_allclose(outcome.of(method, CLEAN).scores, np.stack(rows["scores"].tolist()), atol=1e-5)


def test_the_single_stream_is_that_network_on_the_same_frames(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    batch = next(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))
    dark = batch.frames.clone()
    dark[:, 2] = 0
    torch.manual_seed(2)
    config = networks.model_config("single_stream", clip={"offsets": [-2, -1, 1, 2]})
    stream = build(config, POSETRACK).eval()

    outcome = run(replace(networks_of(loaded), stream=stream), [batch])

    for condition, frames in ((CLEAN, batch.frames), (black(), dark)):
        wanted = predict(stream, [replace(batch, frames=frames)], model=config, readouts=("final",))["final"]
        got = outcome.of("single_stream", condition)
        np.testing.assert_allclose(got.scores, np.stack(wanted["scores"].tolist()), atol=1e-5)
        np.testing.assert_allclose(
            got.keypoints, np.stack(wanted["keypoints"].tolist()).reshape(got.keypoints.shape), atol=1e-3
        )
    assert not np.allclose(outcome.of("single_stream", black()).scores, outcome.of("single_stream", CLEAN).scores)


def test_copying_is_the_single_frame_pose_one_frame_earlier(packed: Path, loaded: tuple[Loaded, Loaded]) -> None:
    dual, single = loaded
    batch = next(evaluation_batches(packed / "val", input_size=(64, 48), batch_size=8, bbox="neighbour"))
    earlier = batch.frames.clone()
    earlier[:, 2] = batch.frames[:, 1]

    outcome = run(networks_of(loaded), [batch])
    wanted = predict(single.network, [replace(batch, frames=earlier)], model=dual.config, readouts=("final",))["final"]

    np.testing.assert_allclose(outcome.of("copy", CLEAN).scores, np.stack(wanted["scores"].tolist()), atol=1e-5)


def test_a_cut_network_knows_nothing_of_what_its_temporal_stream_read(loaded: tuple[Loaded, Loaded]) -> None:
    networks, frames = networks_of(loaded), clips.batch(2).frames[:, [0, 1, 3, 4]]

    memory = cut(support(networks, frames, keys=("a", "b")).memory)

    assert memory.watched is not None
    assert memory.watched.features is not None
    assert not memory.watched.features.mean.any()
    assert not memory.watched.answer.any()  # type: ignore[union-attr]
    assert memory.watched.context is not None
    assert memory.watched.context.any()


def test_a_shuffle_is_the_samples_own_and_moves_something() -> None:
    orders = {key: tuple(shuffle(key, count=4).tolist()) for key in map(str, range(50))}

    assert (0, 1, 2, 3) not in orders.values()
    assert len(set(orders.values())) > 10
    assert orders["7"] == tuple(shuffle("7", count=4).tolist())
    assert shuffle("x", count=1).tolist() == [0]


def test_a_selection_keeps_rows_together() -> None:
    batch = clips.batch(3)

    chosen = select(batch, frozenset({batch.keys[2]}))

    assert chosen.keys == (batch.keys[2],)
    assert chosen.samples == (batch.samples[2],)
    assert torch.equal(chosen.frames[0], batch.frames[2])


def test_times_are_those_of_the_frames_really_used() -> None:
    samples = [clips.sample(0, frames_used=(4, 4, 5, 6, 9))]

    assert supporting_times(samples, position=2).tolist() == [[-1, -1, 1, 4]]
