"""`nightlake doctor` says when nobody would hear of a failed night."""

import boto3
from moto import mock_aws

from cli.doctor import Verdict, _alerts


@mock_aws
def test_a_stage_that_alerts_nobody_must_be_mended() -> None:
    sns = boto3.client("sns", region_name="us-east-1")
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    deaf = _alerts(sns, topic)
    assert deaf.verdict is Verdict.FAIL
    assert "alarm_emails" in deaf.advice

    sns.subscribe(TopicArn=topic, Protocol="sms", Endpoint="+15551234567")
    assert _alerts(sns, topic).verdict is Verdict.OK
