"""Ctrl-C where a library's handler passes over it, as Ray's do when its run has ended."""

import os
import signal
from collections.abc import Callable

import pytest

from pipeline.training.interrupting import interrupting


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def set_a_deaf_handler() -> None:
    """One that does nothing with the signal."""
    signal.signal(signal.SIGINT, lambda *_: None)


@interrupting()
def run(*steps: Callable[[], object]) -> None:
    """Take steps in a block of `interrupting`."""
    for step in steps:
        step()


def test_ctrl_c_that_the_blocks_own_handler_passes_over_is_raised_at_the_end_of_the_block() -> None:
    after: list[int] = []

    with pytest.raises(KeyboardInterrupt):
        run(set_a_deaf_handler, press_ctrl_c, lambda: after.append(1))

    assert after == [1]


def test_the_handler_and_the_wakeup_from_before_are_back() -> None:
    run(set_a_deaf_handler)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1


def test_other_signals_do_not_interrupt() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        run(lambda: os.kill(os.getpid(), signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert heard == [signal.SIGUSR1]


def test_what_the_block_raises_goes_before_ctrl_c() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(set_a_deaf_handler, press_ctrl_c, fail)


def test_ctrl_c_before_the_block_sets_a_handler_ends_it_at_once() -> None:
    after: list[int] = []

    with pytest.raises(KeyboardInterrupt):
        run(press_ctrl_c, lambda: after.append(1))

    assert after == []
