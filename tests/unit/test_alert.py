"""An alert in a chat: the reason and what to do, short enough for the chat, unable to mention a channel."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nightlake.core.alert import TEXT_LENGTH, TITLE_LENGTH, Alert, chat_message, read_alert

SLACK_BYTES = 40_000  # https://docs.slack.dev/changelog/2018-truncating-really-long-messages
TEAMS_BYTES = 28_000  # https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/

characters = st.text(st.sampled_from('<>&*…\0é🌙a \n"\\'), min_size=TEXT_LENGTH, max_size=TEXT_LENGTH + 1)


def alert_of(event: dict[str, Any]) -> Alert:
    (record,) = event["Records"]
    return read_alert(record["Sns"]["Subject"], record["Sns"]["Message"])


def test_a_failed_night_is_told_with_its_reason_and_without_a_traceback(
    event: Callable[[str], dict[str, Any]],
) -> None:
    alert = alert_of(event("sns_failed_night"))
    assert alert.title == "Nightlake: sales failed"
    assert alert.text.startswith("Pipeline sales failed for 2026-11-20 with InvalidDateError.")
    assert "#/v2/executions/details/arn:aws:states:" in alert.text
    assert alert.text.endswith("Cause: '2026-11-31' is not a day of the calendar; write it like 2026-11-20")


def test_an_alarm_is_told_with_its_reason_and_what_to_do(event: Callable[[str], dict[str, Any]]) -> None:
    alert = alert_of(event("sns_alarm"))
    assert alert.title == "ALARM: nightlake-dev-query-errors"
    reason, advice = alert.text.split("\n")
    assert reason.startswith("Threshold Crossed: 1 datapoint")
    assert advice == "Look into the log group /aws/lambda/nightlake-dev-query."


@pytest.mark.parametrize("message", ["A night ended TIMED_OUT", "[1, 2]", "{not json", '{"other": 1}', '"quoted"'])
def test_any_other_message_is_told_as_it_is(message: str) -> None:
    assert read_alert(None, message) == Alert(title="Nightlake", text=message)


def test_a_cause_that_was_cut_off_is_told_as_it_is() -> None:
    message = 'Cause: {"errorMessage":"too long","stackTrace":["a}'
    assert read_alert("Failed", message).text == message


@pytest.mark.parametrize("description", [None, ""])
def test_an_alarm_without_a_description_is_told_without_it(description: str | None) -> None:
    alarm = {"AlarmName": "a", "NewStateValue": "OK", "NewStateReason": "fine", "AlarmDescription": description}
    assert read_alert("OK", json.dumps(alarm)) == Alert(title="OK: a", text="fine")


def test_a_long_alert_is_cut_where_a_reader_sees_it() -> None:
    alert = read_alert("s" * 200, "m" * 3_000)
    assert (len(alert.title), len(alert.text)) == (TITLE_LENGTH, TEXT_LENGTH)
    assert alert.title.endswith("…")
    assert alert.text.endswith("…")


@pytest.mark.parametrize(("kind", "limit"), [("slack", SLACK_BYTES), ("teams", TEAMS_BYTES)])
@given(subject=characters, message=characters)
def test_no_alert_is_too_long_for_its_chat(
    kind: Literal["slack", "teams"], limit: int, subject: str, message: str
) -> None:
    assert len(json.dumps(chat_message(read_alert(subject, message), kind))) <= limit


def test_slack_reads_no_markup_out_of_an_alert() -> None:
    message = chat_message(Alert(title="<!channel>", text="a < b & c > <https://evil.example|here>"), "slack")
    assert message == {
        "text": "*&lt;!channel&gt;*\na &lt; b &amp; c &gt; &lt;https://evil.example|here&gt;",
    }


def test_teams_gets_an_adaptive_card() -> None:
    message = chat_message(Alert(title="Failed", text="Why"), "teams")
    (attachment,) = message["attachments"]
    assert (message["type"], attachment["contentType"]) == ("message", "application/vnd.microsoft.card.adaptive")
    assert [block["text"] for block in attachment["content"]["body"]] == ["Failed", "Why"]
