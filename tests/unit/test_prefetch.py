"""A stream that is read ahead gives the same items and errors, waits for its reader, and ends with it."""

import threading
from collections.abc import Iterator
from itertools import count

import pytest
from nightlake.core.prefetch import prefetch


def _threads() -> int:
    return sum(thread.name == "prefetch" for thread in threading.enumerate())


def test_all_items_come_in_their_order() -> None:
    assert list(prefetch(iter(range(1000)), ahead=3)) == list(range(1000))
    assert list(prefetch(iter(()))) == []
    assert _threads() == 0


def test_items_are_read_while_the_caller_works_but_no_more_than_allowed() -> None:
    read: list[int] = []
    enough = threading.Event()

    def items() -> Iterator[int]:
        for number in count():
            read.append(number)
            if len(read) == 5:
                enough.set()
            yield number

    ahead = prefetch(items(), ahead=4)
    assert next(ahead) == 0
    assert next(ahead) == 1  # the first is done with: one more may be read
    assert enough.wait(10)
    assert len(read) == 5
    ahead.close()


def test_an_error_comes_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the line broke")

    ahead = prefetch(items())
    assert next(ahead) == 1
    with pytest.raises(OSError, match="the line broke"):
        next(ahead)
    assert _threads() == 0


def test_a_reader_that_stops_ends_the_thread_and_closes_the_stream() -> None:
    closed: list[bool] = []

    def items() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.append(True)

    ahead = prefetch(items(), ahead=2)
    next(ahead)
    ahead.close()
    assert closed == [True]
    assert _threads() == 0
