"""What does not fit is told before it is waited for."""

import logging

import pytest

from pipeline.cluster import ALONE, share
from pipeline.refusal import Refusal
from pipeline.training.room import Resources, refuse_cramped, room

ASKED = share(cpus=8.0, gpus=1.0)


@pytest.mark.parametrize(
    ("have", "cpus", "gpus", "fit"),
    [
        ([{"CPU": 8.0}], 2.0, 0.0, 4),
        ([{"CPU": 8.0, "GPU": 2.0}], 1.0, 1.0, 2),
        ([{"CPU": 8.0, "GPU": 1.0}], 1.0, 0.25, 4),
        ([{"CPU": 64.0, "GPU": 1.0}], 1.0, 0.1, 10),
        ([{"CPU": 64.0, "GPU": 1.0}], 1.0, 0.2, 5),
        ([{"CPU": 3.0}, {"CPU": 3.0}], 2.0, 0.0, 2),
        ([{}, {"CPU": 4.0}], 1.0, 1.0, 0),
    ],
)
def test_as_many_fit_as_each_node_has_of_every_kind(have: list[Resources], cpus: float, gpus: float, fit: int) -> None:
    assert room(have, share(cpus=cpus, gpus=gpus)) == fit


def test_what_will_never_fit_on_this_machine_is_refused_with_both_numbers_and_the_keys() -> None:
    have = [{"CPU": 12.0, "GPU": 2.0, ALONE: 1.0}]

    told = r"^cluster\.workers: got room for 1 of 2 workers with 8 CPUs and 1 GPUs each on this machine, wanted"
    with pytest.raises(Refusal, match=told):
        refuse_cramped(have, ASKED, fewest=2, what="workers", keys="cluster.workers")
    assert refuse_cramped(have, ASKED, fewest=1, what="workers", keys="cluster.workers") == 1


def test_a_cluster_may_grow_and_is_waited_for_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    have = [{"CPU": 2.0}, {"CPU": 16.0, "GPU": 1.0}]

    with caplog.at_level(logging.WARNING):
        found = refuse_cramped(have, ASKED, fewest=2, what="workers", keys="cluster.workers")

    assert found == 1
    assert caplog.messages == [
        "waiting: the cluster has room for 1 of 2 workers with 8 CPUs and 1 GPUs each; nodes that join are used"
    ]
