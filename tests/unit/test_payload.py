"""What Step Functions would not carry is refused by name, to the byte."""

import json

import pytest
from nightlake.core.errors import PayloadTooLargeError
from nightlake.core.payload import EVENT_LIMIT_BYTES, RESULT_LIMIT_BYTES, check_size

ENVELOPE = {  # what arn:aws:states:::lambda:invoke puts around a function's result
    "ExecutedVersion": "12",
    "Payload": None,
    "SdkHttpMetadata": {
        "AllHttpHeaders": {
            "X-Amz-Executed-Version": ["12"],
            "x-amzn-Remapped-Content-Length": ["0"],
            "Connection": ["keep-alive"],
            "x-amzn-RequestId": ["52fdfc07-2182-454f-963f-5f0f9a621d72"],
            "Content-Length": ["240000"],
            "Date": ["Sat, 21 Nov 2026 03:00:00 GMT"],
            "X-Amzn-Trace-Id": ["root=1-5759e988-bd862e3fe1be46a994272793;sampled=1"],
            "Content-Type": ["application/json"],
        },
        "HttpHeaders": {
            "Connection": "keep-alive",
            "Content-Length": "240000",
            "Content-Type": "application/json",
            "Date": "Sat, 21 Nov 2026 03:00:00 GMT",
            "X-Amz-Executed-Version": "12",
            "x-amzn-Remapped-Content-Length": "0",
            "x-amzn-RequestId": "52fdfc07-2182-454f-963f-5f0f9a621d72",
            "X-Amzn-Trace-Id": "root=1-5759e988-bd862e3fe1be46a994272793;sampled=1",
        },
        "HttpStatusCode": 200,
    },
    "SdkResponseMetadata": {"RequestId": "52fdfc07-2182-454f-963f-5f0f9a621d72"},
    "StatusCode": 200,
}


@pytest.mark.parametrize("limit", [EVENT_LIMIT_BYTES, RESULT_LIMIT_BYTES])
def test_the_limit_passes_and_one_byte_more_does_not(limit: int) -> None:
    check_size("x" * (limit - 2), what="The result", limit=limit)  # two quotes
    with pytest.raises(PayloadTooLargeError, match=rf"The result is {limit + 1} bytes of JSON.*pass an S3 key"):
        check_size("x" * (limit - 1), what="The result", limit=limit)


def test_the_largest_result_fits_with_its_envelope_and_as_much_again_beside_it() -> None:
    largest = "x" * (RESULT_LIMIT_BYTES - 2)
    check_size(largest, what="The result", limit=RESULT_LIMIT_BYTES)
    room = EVENT_LIMIT_BYTES - len(json.dumps({**ENVELOPE, "Payload": largest}))
    assert room > 16_384


def test_the_limit_is_in_bytes_not_in_characters() -> None:
    check_size("é" * 4, what="The event", limit=10)
    with pytest.raises(PayloadTooLargeError):
        check_size("é" * 5, what="The event", limit=10)


def test_half_a_surrogate_pair_is_json_too() -> None:
    check_size(json.loads(r'"\ud800"'), what="The event", limit=5)
