import torch

from dsn.metrics import pck_hits, rate


def test_hits_are_counted_within_the_share_of_each_persons_head() -> None:
    truth = torch.zeros(3, 2, 2)
    keypoints = torch.tensor([[[5.0, 0.0], [0.0, 5.1]], [[0.0, 9.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    visible = torch.tensor([[True, True], [True, False], [True, True]])
    unit = torch.tensor([10.0, 20.0, torch.nan])

    hits, counted = pck_hits(keypoints, truth, visible=visible, unit=unit, threshold=0.5)

    assert hits.tolist() == [2, 0]
    assert counted.tolist() == [2, 1]


def test_the_rate_of_a_joint_never_counted_is_unknown() -> None:
    rates = rate(torch.tensor([1, 0]), torch.tensor([4, 0]))

    assert rates[0] == 25
    assert rates[1].isnan()
