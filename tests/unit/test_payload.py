"""What Step Functions would not carry is refused by name, to the byte."""

import json

import pytest
from nightlake.core.errors import PayloadTooLargeError
from nightlake.core.payload import LIMIT_BYTES, check_size


def test_256_kib_pass_and_one_byte_more_does_not() -> None:
    check_size("x" * (LIMIT_BYTES - 2), what="The result")  # two quotes
    with pytest.raises(PayloadTooLargeError, match=r"The result is 262145 bytes of JSON.*pass an S3 key"):
        check_size("x" * (LIMIT_BYTES - 1), what="The result")


def test_the_limit_is_in_bytes_not_in_characters() -> None:
    check_size("é" * (LIMIT_BYTES // 2 - 1), what="The event")
    with pytest.raises(PayloadTooLargeError):
        check_size("é" * (LIMIT_BYTES // 2), what="The event")


def test_half_a_surrogate_pair_is_json_too() -> None:
    check_size(json.loads(r'"\ud800"'), what="The event")
