import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.shards.ahead import ahead


def test_items_come_in_order_and_all_of_them() -> None:
    for count in (1, 2, 50):
        assert list(ahead(iter(range(20)), count=count)) == list(range(20))


def test_items_are_made_before_they_are_asked_for_and_no_more_than_allowed() -> None:
    made: list[int] = []
    third = threading.Event()

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    waiting = ahead(items(), count=2)

    assert next(waiting) == 0
    assert third.wait(10)
    time.sleep(0.05)
    assert made == [0, 1, 2]


def test_an_error_comes_at_its_item_and_ends_the_rest() -> None:
    def items() -> Iterator[int]:
        yield 0
        raise ValueError("the second")

    waiting = ahead(items(), count=3)

    assert next(waiting) == 0
    with pytest.raises(ValueError, match="the second"):
        next(waiting)
    assert list(waiting) == []


def test_whoever_stops_early_leaves_no_thread_behind() -> None:
    waiting = ahead(iter(range(1000)), count=2)
    next(waiting)

    waiting.close()  # type: ignore[attr-defined]

    deadline = time.monotonic() + 10
    while any(thread.name.startswith("ahead") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
