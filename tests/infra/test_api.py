"""The query API refuses callers without a key, bounds them all, logs every request and speaks problem+json."""

import json
from typing import Any

import pytest
from aws_cdk import Stack, assertions
from aws_cdk import aws_lambda as lambda_

from infra.api import Api
from infra.settings import ApiSettings, Settings

HANDLER = "arn:aws:lambda:eu-west-1:123456789012:function:query:live"


def synthesized(**limits: Any) -> assertions.Template:
    stack = Stack()
    handler = lambda_.Function.from_function_attributes(stack, "Handler", function_arn=HANDLER, same_environment=True)
    Api(stack, "Api", settings=Settings(stage="dev", api=ApiSettings(**limits)), handler=handler)
    return assertions.Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> assertions.Template:
    return synthesized(throttle_rate=7, throttle_burst=9, quota_per_day=100)


def only(template: assertions.Template, kind: str) -> dict[str, Any]:
    (resource,) = template.find_resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_the_only_method_asks_for_a_key_and_for_what_its_path_needs(template: assertions.Template) -> None:
    method = only(template, "AWS::ApiGateway::Method")
    assert (method["HttpMethod"], method["ApiKeyRequired"]) == ("GET", True)
    assert method["RequestParameters"] == {"method.request.path.proxy": True}
    (validator,) = template.find_resources("AWS::ApiGateway::RequestValidator")
    assert method["RequestValidatorId"] == {"Ref": validator}
    assert only(template, "AWS::ApiGateway::RequestValidator")["ValidateRequestParameters"] is True


def test_every_path_below_v1_reaches_the_function(template: assertions.Template) -> None:
    parts = {each["Properties"]["PathPart"] for each in template.find_resources("AWS::ApiGateway::Resource").values()}
    assert parts == {"v1", "{proxy+}"}
    integration = only(template, "AWS::ApiGateway::Method")["Integration"]
    assert integration["Type"] == "AWS_PROXY"
    assert HANDLER in json.dumps(integration["Uri"])


def test_only_this_api_may_invoke_the_function(template: assertions.Template) -> None:
    permission = only(template, "AWS::Lambda::Permission")
    assert (permission["Principal"], permission["FunctionName"]) == ("apigateway.amazonaws.com", HANDLER)
    (api,) = template.find_resources("AWS::ApiGateway::RestApi")
    assert {"Ref": api} in permission["SourceArn"]["Fn::Join"][1]


def test_the_key_is_bound_to_the_limits_of_the_settings(template: assertions.Template) -> None:
    plan = only(template, "AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 7, "BurstLimit": 9}
    assert plan["Quota"] == {"Limit": 100, "Period": "DAY"}
    (key,) = template.find_resources("AWS::ApiGateway::ApiKey")
    assert only(template, "AWS::ApiGateway::UsagePlanKey")["KeyId"] == {"Ref": key}


def test_all_callers_together_are_bounded_traced_and_logged(template: assertions.Template) -> None:
    stage = only(template, "AWS::ApiGateway::Stage")
    assert (stage["StageName"], stage["TracingEnabled"]) == ("dev", True)
    (methods,) = stage["MethodSettings"]
    assert (methods["ThrottlingRateLimit"], methods["ThrottlingBurstLimit"]) == (7, 9)
    assert (methods["LoggingLevel"], methods["MetricsEnabled"], methods["DataTraceEnabled"]) == ("ERROR", True, False)
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert logged["requestId"] == "$context.requestId"
    assert {"status", "path", "apiKeyId", "integrationLatency"} <= set(logged)
    assert "$context.identity.apiKey" not in logged.values()


def test_the_endpoint_takes_tls_1_2_with_forward_secrecy_at_least(template: assertions.Template) -> None:
    api = only(template, "AWS::ApiGateway::RestApi")
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}
    assert api["SecurityPolicy"] == "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"
    assert api["EndpointAccessMode"] == "STRICT"


def test_refusals_before_the_function_are_problem_documents(template: assertions.Template) -> None:
    responses = {
        each["Properties"]["ResponseType"]: each["Properties"]
        for each in template.find_resources("AWS::ApiGateway::GatewayResponse").values()
    }
    assert {"DEFAULT_4XX", "DEFAULT_5XX"} <= set(responses)
    for kind, response in responses.items():
        assert response["ResponseParameters"] == {
            "gatewayresponse.header.Content-Type": "'application/problem+json'"
        }, kind
        # API Gateway puts a quoted string where the message stands.
        body = response["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"message"')
        problem = json.loads(body)
        assert {"type", "title", "detail", "request_id"} <= set(problem), kind
        assert problem.get("status") == (int(response["StatusCode"]) if "StatusCode" in response else None), kind
    assert responses["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == "404"


def test_the_role_that_all_stages_share_stays_when_a_stack_goes(template: assertions.Template) -> None:
    (account,) = template.find_resources("AWS::ApiGateway::Account").values()
    (role,) = template.find_resources("AWS::IAM::Role").values()
    assert account["DeletionPolicy"] == role["DeletionPolicy"] == "Retain"


def test_a_browser_is_answered_only_where_the_settings_name_its_origin(template: assertions.Template) -> None:
    assert [
        each
        for each in template.find_resources("AWS::ApiGateway::Method").values()
        if each["Properties"]["HttpMethod"] == "OPTIONS"
    ] == []
    allowed = synthesized(cors_origins=("https://shop.example",)).find_resources(
        "AWS::ApiGateway::Method", {"Properties": {"HttpMethod": "OPTIONS"}}
    )
    assert all("'https://shop.example'" in json.dumps(each) for each in allowed.values())
    assert allowed


def test_a_page_of_several_origins_may_read_refusals_too() -> None:
    template = synthesized(cors_origins=("https://shop.example", "https://office.example"))
    preflight = json.dumps(
        template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": "OPTIONS"}})
    )
    assert "https://shop.example" in preflight
    assert "https://office.example" in preflight
    for response in template.find_resources("AWS::ApiGateway::GatewayResponse").values():
        assert response["Properties"]["ResponseParameters"] == {
            "gatewayresponse.header.Content-Type": "'application/problem+json'",
            "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
        }
