import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dsn.skeleton import POSETRACK
from pipeline.refusal import Refusal
from pipeline.shards.batch import ClipBatch, collate
from pipeline.shards.clip import Clip, Clips
from pipeline.shards.manifest import read_manifest
from pipeline.shards.reader import ReaderConfig, evaluation_batches, steps_per_epoch, training_batches
from pipeline.shards.sample import ClipSample

SIZE = (32, 24)
MakeReader = Callable[..., ReaderConfig]
EVERYTHING = {
    "flip": 0.5, "rotation": 45.0, "rotation_probability": 0.6, "scale": 0.35, "shift": 0.1, "half_body": 0.3,
    "occluder": 0.5, "keyframe_dropout": 0.5,
}  # fmt: skip


def training(folder: Path, config: ReaderConfig, **changes: Any) -> Iterator[ClipBatch]:
    arguments: dict[str, Any] = {"batch_size": 4, "seed": 0, "epoch": 0, "rank": 0, "world": 1} | changes
    return training_batches(folder / "train", config, input_size=SIZE, **arguments)


def equal(one: ClipBatch, two: ClipBatch) -> bool:
    tensors = ("frames", "keypoints", "visible", "to_source", "is_spoilt")
    return (one.keys, one.samples) == (two.keys, two.samples) and all(
        torch.equal(getattr(one, name), getattr(two, name)) for name in tensors
    )


def clips_of(batches: Iterable[ClipBatch]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Frames and affine of every key."""
    return {
        key: (clip, affine)
        for batch in batches
        for key, clip, affine in zip(batch.keys, batch.frames, batch.to_source, strict=True)
    }


def test_a_batch_has_the_shapes_and_types_it_promises(packed: Path, make_reader: MakeReader) -> None:
    batch = next(training(packed, make_reader(**EVERYTHING)))

    assert (batch.frames.shape, batch.frames.dtype) == ((4, 5, 3, 32, 24), torch.uint8)
    assert (batch.keypoints.shape, batch.keypoints.dtype) == ((4, 17, 2), torch.float32)
    assert (batch.visible.shape, batch.visible.dtype) == ((4, 17), torch.bool)
    assert (batch.to_source.shape, batch.to_source.dtype) == ((4, 2, 3), torch.float32)
    assert (batch.head_size.shape, len(batch.keys), len(batch.samples)) == ((4,), 4, 4)


def test_an_epoch_has_the_steps_that_the_manifest_gives_on_every_rank(packed: Path, make_reader: MakeReader) -> None:
    steps = steps_per_epoch(read_manifest(packed / "train"), batch_size=4, world=2)

    ranks = [list(clips_of(training(packed, make_reader(), rank=rank, world=2))) for rank in (0, 1)]

    assert steps == 3
    assert [len(keys) for keys in ranks] == [12, 12]
    assert len({*ranks[0], *ranks[1]}) == 24


def test_a_resumed_epoch_goes_on_with_the_very_next_batch(packed: Path, make_reader: MakeReader) -> None:
    config = make_reader(**EVERYTHING)
    whole = list(training(packed, config, epoch=3))

    resumed = list(training(packed, config, epoch=3, first_step=4))

    assert len(whole) == 7
    assert len(resumed) == 3
    assert all(equal(one, two) for one, two in zip(whole[4:], resumed, strict=True))


def test_another_epoch_has_another_order_and_other_views(packed: Path, make_reader: MakeReader) -> None:
    config = make_reader(**EVERYTHING)
    first, second = (clips_of(training(packed, config, epoch=epoch)) for epoch in (0, 1))

    assert list(first) != list(second)
    assert set(first) == set(second)
    assert not any(torch.equal(first[key][1], second[key][1]) for key in first)


def test_the_batch_size_does_not_change_a_samples_view(packed: Path, make_reader: MakeReader) -> None:
    config = make_reader(**EVERYTHING)
    small, large = (clips_of(training(packed, config, batch_size=size)) for size in (2, 7))

    assert len(small) == 28
    assert all(torch.equal(one, two) for key in small for one, two in zip(small[key], large[key], strict=True))


def test_evaluation_sees_every_sample_once_in_order_for_any_number_of_ranks(packed: Path) -> None:
    wanted = [f"00000{v}_b-{f:06d}-{p:03d}" for v in (4, 5) for f in range(7) for p in range(2)]
    for world in (1, 2, 3, 5, 30):
        keys = [
            key
            for rank in range(world)
            for batch in evaluation_batches(packed / "val", input_size=SIZE, batch_size=4, rank=rank, world=world)
            for key in batch.keys
        ]
        assert keys == wanted


def test_evaluation_crops_the_padded_bbox_upright(packed: Path) -> None:
    batch = next(evaluation_batches(packed / "val", input_size=SIZE, batch_size=28))
    number = batch.keys.index("000004_b-000003-001")

    spacing = 1.25 * 16 / 23
    expected = [[spacing, 0, 54 - 11.5 * spacing], [0, spacing, 28 - 15.5 * spacing]]
    assert batch.to_source[number].numpy() == pytest.approx(np.array(expected), abs=1e-4)
    points = batch.keypoints[number].numpy() @ np.diag([spacing, spacing]) + [54 - 11.5 * spacing, 28 - 15.5 * spacing]
    assert points[0] == pytest.approx([46, 20], abs=1e-4)
    assert points[16] == pytest.approx([62, 36], abs=1e-4)
    assert batch.head_size[number].item() == pytest.approx(3.0 / spacing)


def test_supervised_are_the_labelled_scored_joints_inside_the_crop(packed: Path, make_reader: MakeReader) -> None:
    plain = next(evaluation_batches(packed / "val", input_size=SIZE, batch_size=28))
    close = next(training(packed, make_reader(half_body=1.0), batch_size=28))

    assert plain.visible.tolist() == [[joint in POSETRACK.scored for joint in range(17)]] * 28
    inside = ((close.keypoints >= 0) & (close.keypoints <= torch.tensor([23.0, 31.0]))).all(dim=2)
    assert torch.equal(close.visible, inside & plain.visible)
    assert not inside.all()


def test_a_mirrored_view_shows_the_mirrored_pixels_with_left_and_right_swapped(
    packed: Path, make_reader: MakeReader
) -> None:
    plain = next(training(packed, make_reader(), batch_size=28))
    mirrored = next(training(packed, make_reader(flip=1.0), batch_size=28))

    assert plain.keys == mirrored.keys
    assert (mirrored.frames.int() - plain.frames.flip(-1).int()).abs().max() <= 1
    assert torch.allclose(mirrored.keypoints[:, 1, 0], 23 - plain.keypoints[:, 1, 0], atol=1e-4)
    assert torch.allclose(mirrored.keypoints[:, 5, 0], 23 - plain.keypoints[:, 6, 0], atol=1e-4)
    assert torch.allclose(mirrored.keypoints[:, 5, 1], plain.keypoints[:, 6, 1], atol=1e-4)


def test_to_source_takes_keypoints_back_through_any_view(packed: Path, make_reader: MakeReader) -> None:
    batch = next(training(packed, make_reader(**(EVERYTHING | {"flip": 0.0})), batch_size=28))

    back = torch.einsum("bij,bkj->bki", batch.to_source[:, :, :2], batch.keypoints) + batch.to_source[:, None, :, 2]
    source = torch.tensor([sample.keypoints for sample in batch.samples])[:, :, :2]
    scored = list(POSETRACK.scored)
    assert (back - source)[:, scored].abs().max() < 0.01


def test_the_keyframe_alone_is_the_keyframe_of_the_clip(packed: Path, make_reader: MakeReader) -> None:
    config = make_reader(**EVERYTHING)
    for clips, alone in zip(training(packed, config), training(packed, config, keyframe_only=True), strict=True):
        assert alone.frames.shape == (4, 1, 3, 32, 24)
        assert torch.equal(alone.frames[:, 0], clips.frames[:, 2])
        assert torch.equal(alone.keypoints, clips.keypoints)


def test_each_frame_of_a_clip_is_the_frame_of_its_time(packed: Path) -> None:
    for batch in evaluation_batches(packed / "val", input_size=SIZE, batch_size=28):
        greys = batch.frames[:, :, 0, 16, 12].int()
        expected = torch.tensor([[20 + 30 * frame for frame in sample.frames_used] for sample in batch.samples])
        assert (greys - expected).abs().max() <= 2


def test_neighbour_crops_leave_out_samples_without_a_neighbour_bbox(packed: Path) -> None:
    batches = list(evaluation_batches(packed / "val", input_size=SIZE, batch_size=4, bbox="neighbour"))
    own = {
        key: affine
        for batch in evaluation_batches(packed / "val", input_size=SIZE, batch_size=4)
        for key, affine in zip(batch.keys, batch.to_source, strict=True)
    }

    keys = [key for batch in batches for key in batch.keys]
    assert keys == [key for key in own if key.split("-")[1] not in {"000000", "000006"}]
    for batch in batches:
        for key, affine in zip(batch.keys, batch.to_source, strict=True):
            assert torch.allclose(affine, own[key], atol=1e-4)


def test_the_size_of_a_bbox_is_its_longer_side_in_input_pixels(packed: Path) -> None:
    batch = next(evaluation_batches(packed / "val", input_size=SIZE, batch_size=1))

    assert batch.bbox_size[0].item() == pytest.approx(16 / float(batch.to_source[0, 0, 0]))


def test_an_unknown_head_size_is_nan(make_sample: Callable[..., ClipSample]) -> None:
    clips = tuple(
        Clip(
            sample=make_sample(head_size=head_size),
            keypoints=np.zeros((17, 2)),
            visible=np.zeros(17, dtype=bool),
            to_source=np.array([[2.0, 0, 0], [0, 2, 0]]),
            is_spoilt=False,
        )
        for head_size in (6.0, None)
    )

    frames = np.zeros((2, 1, 32, 24, 3), dtype=np.uint8)
    head_size = collate(Clips(clips=clips, frames=frames, quarantined=())).head_size

    assert head_size[0] == 3
    assert torch.isnan(head_size[1])


def test_a_shard_cut_short_is_named(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed / "val", tmp_path / "val")
    shard = tmp_path / "val/000002.tar"
    shard.write_bytes(shard.read_bytes()[:5000])

    with pytest.raises(Refusal, match=r"val/000002.tar: the shard is cut short: it ends at byte 5000, .*dvc checkout"):
        list(evaluation_batches(tmp_path / "val", input_size=SIZE, batch_size=4))


def test_a_damaged_shard_is_named(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed / "val", tmp_path / "val")
    shard = tmp_path / "val/000001.tar"
    shard.write_bytes(bytes(shard.stat().st_size))

    with pytest.raises(Refusal, match=r"record 0 in .*val/000001.tar: damaged: got no tar header at byte 0"):
        list(evaluation_batches(tmp_path / "val", input_size=SIZE, batch_size=4))


def test_a_picture_that_cannot_be_decoded_is_named_with_its_key(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed / "val", tmp_path / "val")
    shard = tmp_path / "val/000000.tar"
    data = bytearray(shard.read_bytes())
    data[512:600] = bytes(88)
    shard.write_bytes(data)

    with pytest.raises(Refusal, match=r"000004_b-000000-000 in .*000000.tar: 0.jpg is not an image"):
        list(evaluation_batches(tmp_path / "val", input_size=SIZE, batch_size=4))


def test_a_missing_shard_is_named(packed: Path, tmp_path: Path) -> None:
    shutil.copytree(packed / "val", tmp_path / "val")
    (tmp_path / "val/000003.tar").unlink()

    with pytest.raises(Refusal, match=r"val/000003.tar: no such file"):
        list(evaluation_batches(tmp_path / "val", input_size=SIZE, batch_size=4))


def test_a_folder_without_shards_is_refused_at_the_call(tmp_path: Path, make_reader: MakeReader) -> None:
    with pytest.raises(Refusal, match="run stage shard"):
        training(tmp_path, make_reader())
