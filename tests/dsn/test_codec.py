from dataclasses import replace

import pytest
import torch
from torch import Tensor

from dsn.codec import blurred, decode, encode, flip
from dsn.parts import HeatmapConfig
from dsn.skeleton import POSETRACK

SIZE = (128, 96)
UNBIASED = HeatmapConfig(stride=4, sigma=1.5, encoding="udp", decoding="newton")
CLASSIC = HeatmapConfig(stride=4, sigma=1.5, encoding="gaussian", decoding="quarter")


def _encode(keypoints: Tensor, *, config: HeatmapConfig = UNBIASED) -> Tensor:
    visible = torch.ones(keypoints.shape[:2], dtype=torch.bool)
    heatmaps, _ = encode(keypoints, visible, input_size=SIZE, config=config)
    return heatmaps


def _decode(heatmaps: Tensor, *, config: HeatmapConfig = UNBIASED) -> tuple[Tensor, Tensor]:
    return decode(heatmaps, input_size=SIZE, config=config)


def _inside(clips: int) -> Tensor:
    return torch.rand(clips, 17, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([95.0, 127.0])


def test_the_corners_of_the_input_are_the_corners_of_the_heatmap() -> None:
    heatmaps = _encode(torch.tensor([[[0.0, 0.0], [95.0, 0.0], [95.0, 127.0]]]))

    assert heatmaps[0, 0, 0, 0] == 1
    assert heatmaps[0, 1, 0, 23] == 1
    assert heatmaps[0, 2, 31, 23] == 1


def test_a_target_is_a_gaussian_of_its_sigma() -> None:
    keypoints = torch.tensor([[[10 * 95 / 23, 12 * 127 / 31]]])

    heatmap = _encode(keypoints, config=replace(UNBIASED, sigma=2.0))[0, 0]

    assert heatmap[12, 10].item() == pytest.approx(1.0)
    assert heatmap[12, 13].item() == pytest.approx(0.324652, abs=1e-5)  # exp(-9 / 8)
    assert heatmap[14, 11].item() == pytest.approx(0.535261, abs=1e-5)  # exp(-5 / 8)


@pytest.mark.parametrize("sigma", [1.0, 1.25, 2.0])
def test_decoding_undoes_encoding_far_within_a_twentieth_of_a_cell(sigma: float) -> None:
    keypoints = _inside(clips=100)

    config = replace(UNBIASED, sigma=sigma)
    decoded, _ = _decode(_encode(keypoints, config=config), config=config)

    assert (decoded - keypoints).abs().max() < 0.001 * 4


def test_the_score_is_the_maximum_of_the_map() -> None:
    heatmaps = _encode(_inside(clips=2)) * 0.25

    _, scores = _decode(heatmaps)

    assert torch.equal(scores, heatmaps.amax(dim=(2, 3)))


def test_maps_without_a_peak_decode_to_finite_places() -> None:
    flat = torch.zeros(1, 1, 32, 24)
    noise = -torch.rand(1, 1, 32, 24, generator=torch.Generator().manual_seed(1))
    ridge = torch.zeros(1, 1, 32, 24).index_fill(2, torch.tensor(5), 1.0)

    decoded, scores = _decode(torch.cat([flat, noise, ridge]))

    assert decoded.isfinite().all()
    assert scores[0].item() == 0
    assert decoded[2, 0, 1].item() == pytest.approx(5 * 127 / 31)


def test_a_refined_keypoint_stays_within_a_cell_of_the_maximum() -> None:
    noise = torch.rand(50, 17, 32, 24, generator=torch.Generator().manual_seed(1))

    decoded, _ = _decode(noise)

    places = noise.flatten(2).argmax(dim=-1)
    peaks = torch.stack([places % 24, places // 24], dim=-1)
    assert ((decoded * torch.tensor([23 / 95, 31 / 127]) - peaks).abs() <= 1.001).all()


def test_only_visible_keypoints_inside_the_input_are_supervised() -> None:
    keypoints = torch.tensor([[[5.0, 5.0], [5.0, 5.0], [95.1, 5.0], [5.0, -0.1], [95.0, 127.0]]])
    visible = torch.tensor([[True, False, True, True, True]])

    heatmaps, supervised = encode(keypoints, visible, input_size=SIZE, config=UNBIASED)

    assert supervised.tolist() == [[True, False, False, False, True]]
    assert heatmaps[0, 1:4].abs().max() == 0


def test_an_unlabelled_keypoint_of_nan_leaves_no_nan() -> None:
    keypoints, visible = torch.full((1, 1, 2), torch.nan), torch.tensor([[False]])

    heatmaps, supervised = encode(keypoints, visible, input_size=SIZE, config=UNBIASED)

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


def test_a_classic_target_stands_at_the_cell_nearest_to_the_keypoint_over_the_stride() -> None:
    heatmap = _encode(torch.tensor([[[41.9, 46.1]]]), config=CLASSIC)[0, 0]

    assert heatmap[12, 10] == 1  # 41.9 / 4 = 10.475, 46.1 / 4 = 11.525
    assert heatmap[12, 13].item() == pytest.approx(0.135335, abs=1e-5)  # exp(-9 / 4.5)


def test_a_classic_target_loses_half_a_cell_and_the_unbiased_one_next_to_nothing() -> None:
    keypoints = 8 + 0.8 * _inside(clips=40)

    lost = {}
    for name, config in (("classic", CLASSIC), ("unbiased", UNBIASED)):
        found, _ = _decode(_encode(keypoints, config=config), config=config)
        lost[name] = (found - keypoints).abs().mean().item()

    assert lost["classic"] == pytest.approx(1.0, abs=0.05)  # a uniform rounding to cells of 4 pixels
    assert lost["unbiased"] < 0.001


def test_a_quarter_of_a_cell_goes_towards_the_higher_neighbour() -> None:
    heatmap = torch.zeros(1, 3, 32, 24)
    heatmap[0, 0, 12, 10], heatmap[0, 0, 12, 11], heatmap[0, 0, 11, 10] = 1.0, 0.5, 0.2
    heatmap[0, 1, 12, 10] = 1.0
    heatmap[0, 2, 0, 10], heatmap[0, 2, 1, 10] = 1.0, 0.5

    decoded, _ = _decode(heatmap, config=CLASSIC)

    assert (decoded[0] / 4).tolist() == [[10.25, 11.75], [10, 12], [10, 0]]


@pytest.mark.parametrize("sigma", [1.25, 2.0])
def test_dark_finds_keypoints_off_the_border_within_a_twentieth_of_a_cell(sigma: float) -> None:
    config = replace(UNBIASED, sigma=sigma, decoding="dark")
    keypoints = 26 + 0.45 * _inside(clips=50)

    decoded, _ = _decode(_encode(keypoints, config=config), config=config)

    assert (decoded - keypoints).abs().max() < 0.05 * 4


def test_dark_withstands_noise_better_than_a_step_on_the_raw_map() -> None:
    keypoints = 26 + 0.45 * _inside(clips=50)
    noise = torch.randn(50, 17, 32, 24, generator=torch.Generator().manual_seed(2))
    noisy = _encode(keypoints) + 0.03 * noise

    kinds = {"newton": UNBIASED, "dark": replace(UNBIASED, decoding="dark")}
    found = {name: _decode(noisy, config=config)[0] for name, config in kinds.items()}

    wrong = {name: (places - keypoints).norm(dim=-1).mean() for name, places in found.items()}
    assert wrong["dark"] < 0.8 * wrong["newton"]


def test_smoothing_spreads_a_cell_into_a_gaussian_and_keeps_its_sum() -> None:
    spike = torch.zeros(1, 2, 32, 24)
    spike[0, 1, 16, 12] = 1.0

    smooth = blurred(spike, sigma=2.0)

    assert smooth[0, 0].abs().max() == 0
    assert smooth[0, 1].sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (smooth[0, 1, 16, 14] / smooth[0, 1, 16, 12]).item() == pytest.approx(0.606531, abs=1e-5)  # exp(-4 / 8)


def test_the_scores_of_every_decoding_are_the_raw_maxima() -> None:
    heatmaps = 0.7 * _encode(_inside(clips=1))

    for config in (UNBIASED, CLASSIC, replace(UNBIASED, decoding="dark")):
        _, scores = _decode(heatmaps, config=config)
        assert torch.equal(scores, heatmaps.amax(dim=(2, 3)))


def test_the_gradient_of_a_target_is_that_of_its_numbers() -> None:
    keypoints = _inside(clips=1)[:, :2].double().requires_grad_()
    visible = torch.ones(1, 2, dtype=torch.bool)

    assert torch.autograd.gradcheck(
        lambda places: encode(places, visible, input_size=(32, 24), config=UNBIASED)[0], (keypoints / 4,)
    )


@pytest.mark.parametrize("config", [UNBIASED, replace(UNBIASED, decoding="dark")], ids=["newton", "dark"])
def test_the_gradient_of_a_decoded_keypoint_is_that_of_its_numbers(config: HeatmapConfig) -> None:
    visible = torch.ones(1, 2, dtype=torch.bool)
    keypoints = torch.tensor([[[17.3, 18.9], [20.2, 22.7]]], dtype=torch.float64)
    heatmaps, _ = encode(keypoints, visible, input_size=(40, 40), config=config)

    assert torch.autograd.gradcheck(
        lambda maps: decode(maps, input_size=(40, 40), config=config), (heatmaps.requires_grad_(),)
    )
