"""Ctrl-C where a library's handler passes over it, as Ray's do when its run has ended."""

import os
import signal

import pytest

from pipeline.training.interrupting import interrupting


def set_a_deaf_handler() -> list[int]:
    """Numbers of the signals that came to a handler that does nothing with them."""
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    return heard


def test_ctrl_c_that_the_blocks_own_handler_passes_over_is_raised_at_the_end_of_the_block() -> None:
    reached = False

    with pytest.raises(KeyboardInterrupt), interrupting():
        heard = set_a_deaf_handler()
        os.kill(os.getpid(), signal.SIGINT)
        reached = True

    assert reached
    assert heard == [signal.SIGINT]


def test_the_handler_and_the_wakeup_from_before_are_back() -> None:
    with interrupting():
        set_a_deaf_handler()

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.set_wakeup_fd(-1) == -1


def test_other_signals_do_not_interrupt() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: heard.append(number))
    try:
        with interrupting():
            os.kill(os.getpid(), signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert heard == [signal.SIGUSR1]


def test_what_the_block_raises_goes_before_ctrl_c() -> None:
    with pytest.raises(ZeroDivisionError), interrupting():
        set_a_deaf_handler()
        os.kill(os.getpid(), signal.SIGINT)
        raise ZeroDivisionError


def test_ctrl_c_before_the_block_sets_a_handler_ends_it_at_once() -> None:
    reached = False

    with pytest.raises(KeyboardInterrupt), interrupting():
        os.kill(os.getpid(), signal.SIGINT)
        reached = True

    assert not reached
