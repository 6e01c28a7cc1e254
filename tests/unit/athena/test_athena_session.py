"""Stopping a query, whatever it does at that moment."""

import threading

from local.athena.session import Cancellation


def test_what_runs_is_interrupted_until_it_ends() -> None:
    cancellation, interrupts = Cancellation(), threading.Semaphore(0)
    cancellation.attach(interrupts.release)

    cancellation.request()

    assert cancellation.requested
    assert all(interrupts.acquire(timeout=30) for _ in range(3))


def test_what_has_ended_is_left_alone() -> None:
    cancellation, interrupted = Cancellation(), threading.Event()
    cancellation.attach(interrupted.set)
    cancellation.attach(None)

    cancellation.request()

    assert not interrupted.wait(0.2)


def test_a_stop_that_comes_before_anything_runs_is_not_forgotten() -> None:
    cancellation, interrupts = Cancellation(), threading.Semaphore(0)
    cancellation.request()

    cancellation.attach(interrupts.release)

    assert all(interrupts.acquire(timeout=30) for _ in range(3))
    cancellation.attach(None)
