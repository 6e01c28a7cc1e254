"""Outages of the local S3 strike whom they name, as often as they were ordered, until they are taken back."""

from pathlib import Path

from local import outages
from local.outages import Outage, Outages


def test_an_outage_strikes_every_nth_request_that_it_names(tmp_path: Path) -> None:
    s3 = Outages(tmp_path / outages.FILE)
    outages.order(tmp_path, Outage(kind="slow_down", method="PUT", keys="staging/", every=3))

    struck = [s3.striking("PUT", f"staging/{number}") is not None for number in range(1, 8)]
    assert struck == [False, False, True, False, False, True, False]
    assert not any(s3.striking(*request) for request in [("GET", "staging/1"), ("PUT", "data/1")] for _ in range(3))


def test_an_outage_ends_after_its_times_or_when_it_is_taken_back(tmp_path: Path) -> None:
    s3 = Outages(tmp_path / outages.FILE)
    assert s3.striking("GET", "a") is None
    brief, lasting = (Outage(kind="break_off", method="GET", keys="a", times=times) for times in (2, None))
    outages.order(tmp_path, brief)
    assert [s3.striking("GET", "a") for _ in range(4)] == [brief, brief, None, None]
    outages.order(tmp_path, brief, lasting)
    assert [s3.striking("GET", "a") for _ in range(4)] == [brief, brief, lasting, lasting]
    outages.order(tmp_path)
    assert s3.striking("GET", "a") is None
