import pytest
import torch
from torch import Tensor

from dsn.codec import decode, encode, flip
from dsn.skeleton import POSETRACK


def _encode(keypoints: Tensor, *, sigma: float = 1.5) -> Tensor:
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    heatmaps, _ = encode(keypoints, visible, input_size=(128, 96), heatmap_size=(32, 24), sigma=sigma)
    return heatmaps


def _inside(clips: int) -> Tensor:
    return torch.rand(clips, 17, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([95.0, 127.0])


def test_the_corners_of_the_input_are_the_corners_of_the_heatmap() -> None:
    heatmaps = _encode(torch.tensor([[[0.0, 0.0], [95.0, 0.0], [95.0, 127.0]]]))

    assert heatmaps[0, 0, 0, 0] == 1
    assert heatmaps[0, 1, 0, 23] == 1
    assert heatmaps[0, 2, 31, 23] == 1


def test_a_target_is_a_gaussian_of_its_sigma() -> None:
    keypoints = torch.tensor([[[10 * 95 / 23, 12 * 127 / 31]]])

    heatmap = _encode(keypoints, sigma=2.0)[0, 0]

    assert heatmap[12, 10].item() == pytest.approx(1.0)
    assert heatmap[12, 13].item() == pytest.approx(0.324652, abs=1e-5)  # exp(-9 / 8)
    assert heatmap[14, 11].item() == pytest.approx(0.535261, abs=1e-5)  # exp(-5 / 8)


@pytest.mark.parametrize("sigma", [1.0, 1.25, 2.0])
def test_decoding_undoes_encoding_far_within_a_twentieth_of_a_cell(sigma: float) -> None:
    keypoints = _inside(clips=100)

    decoded, _ = decode(_encode(keypoints, sigma=sigma), input_size=(128, 96))

    assert (decoded - keypoints).abs().max() < 0.001 * 4


def test_the_score_is_the_maximum_of_the_map() -> None:
    heatmaps = _encode(_inside(clips=2)) * 0.25

    _, scores = decode(heatmaps, input_size=(128, 96))

    assert torch.equal(scores, heatmaps.amax(dim=(2, 3)))


def test_maps_without_a_peak_decode_to_finite_places() -> None:
    flat = torch.zeros(1, 1, 32, 24)
    noise = -torch.rand(1, 1, 32, 24, generator=torch.Generator().manual_seed(1))
    ridge = torch.zeros(1, 1, 32, 24).index_fill(2, torch.tensor(5), 1.0)

    decoded, scores = decode(torch.cat([flat, noise, ridge]), input_size=(128, 96))

    assert decoded.isfinite().all()
    assert scores[0].item() == 0
    assert decoded[2, 0, 1].item() == pytest.approx(5 * 127 / 31)


def test_a_refined_keypoint_stays_within_a_cell_of_the_maximum() -> None:
    noise = torch.rand(50, 17, 32, 24, generator=torch.Generator().manual_seed(1))

    decoded, _ = decode(noise, input_size=(128, 96))

    places = noise.flatten(2).argmax(dim=-1)
    peaks = torch.stack([places % 24, places // 24], dim=-1)
    assert ((decoded * torch.tensor([23 / 95, 31 / 127]) - peaks).abs() <= 1.001).all()


def test_only_visible_keypoints_inside_the_input_are_supervised() -> None:
    keypoints = torch.tensor([[[5.0, 5.0], [5.0, 5.0], [95.1, 5.0], [5.0, -0.1], [95.0, 127.0]]])
    visible = torch.tensor([[True, False, True, True, True]])

    heatmaps, supervised = encode(keypoints, visible, input_size=(128, 96), heatmap_size=(32, 24), sigma=1.0)

    assert supervised.tolist() == [[True, False, False, False, True]]
    assert heatmaps[0, 1:4].abs().max() == 0


def test_an_unlabelled_keypoint_of_nan_leaves_no_nan() -> None:
    keypoints, visible = torch.full((1, 1, 2), torch.nan), torch.tensor([[False]])

    heatmaps, supervised = encode(keypoints, visible, input_size=(128, 96), heatmap_size=(32, 24), sigma=1.0)

    assert not supervised.any()
    assert torch.equal(heatmaps, torch.zeros(1, 1, 32, 24))


def test_flipped_heatmaps_are_those_of_the_mirrored_person() -> None:
    keypoints = _inside(clips=2)
    left_right = torch.tensor([0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15])
    mirrored = torch.stack([95 - keypoints[..., 0], keypoints[..., 1]], dim=-1)[:, left_right]

    flipped = flip(_encode(keypoints), flip_pairs=POSETRACK.flip_pairs)

    torch.testing.assert_close(flipped, _encode(mirrored))


def test_head_bottom_and_head_top_never_swap() -> None:
    heatmaps = torch.arange(17.0).reshape(1, 17, 1, 1).expand(1, 17, 2, 3)

    channels = flip(heatmaps, flip_pairs=POSETRACK.flip_pairs)[0, :, 0, 0]

    assert channels.tolist() == [0, 1, 2, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15]
