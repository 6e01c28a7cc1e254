"""What an alert looks like in a chat: one title, one short text, in the shape that Slack or Teams takes."""

import json
import re
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from nightlake.core.brief import reason, shorten

# Teams refuses messages above 28 KB and Slack cuts them at 40,000 characters; nobody reads as much at 3 AM.
TITLE_LENGTH: Final = 150
TEXT_LENGTH: Final = 2_000
_LAMBDA_CAUSE: Final = re.compile(r'\{"errorMessage".*\}', re.DOTALL)


class Alert(BaseModel):
    """An alert as a person reads it."""

    model_config = ConfigDict(frozen=True)

    title: str
    text: str


def read_alert(subject: str | None, message: str) -> Alert:
    """The alert in an SNS message: a CloudWatch alarm's JSON becomes its reason and what to do, a text stays a text.

    Where a text ends in the JSON that Lambda writes about an exception, only the exception's message is kept.
    """
    alarm = _parse(message)
    if "AlarmName" in alarm:
        state, why = alarm.get("NewStateValue", "ALARM"), alarm.get("NewStateReason", "")
        title, text = f"{state}: {alarm['AlarmName']}", f"{why}\n{alarm.get('AlarmDescription') or ''}"
    else:
        title, text = subject or "Nightlake", _LAMBDA_CAUSE.sub(lambda cause: reason(cause[0]), message)
    return Alert(title=shorten(title.strip(), TITLE_LENGTH), text=shorten(text.strip(), TEXT_LENGTH))


def chat_message(alert: Alert, kind: Literal["slack", "teams"]) -> dict[str, Any]:
    """The alert as the JSON body that an incoming webhook of Slack or Teams (adaptive card) takes."""
    if kind == "slack":
        # Slack reads &, < and > as its own markup; an alert must not be able to mention a channel.
        plain = {"title": _escape(alert.title), "text": _escape(alert.text)}
        return {"text": f"*{plain['title']}*\n{plain['text']}"}
    blocks = [
        {"type": "TextBlock", "text": alert.title, "weight": "Bolder", "wrap": True},
        {"type": "TextBlock", "text": alert.text, "wrap": True},
    ]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
    }
    return {
        "type": "message",
        "attachments": [{"contentType": "application/vnd.microsoft.card.adaptive", "content": card}],
    }


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
