"""The query API refuses callers without a key, bounds them all, logs every request and speaks problem+json."""

import json
from typing import Any

import pytest
from aws_cdk import Stack, assertions
from aws_cdk import aws_lambda as lambda_

from infra.api import Api
from infra.settings import ApiSettings, Settings

HANDLER = "arn:aws:lambda:eu-west-1:123456789012:function:query:live"
AUTHORIZER = "arn:aws:lambda:eu-west-1:123456789012:function:authorize:live"
JWT = {"issuer": "https://login.example", "audience": "lake", "jwks_url": "https://login.example/keys"}


def synthesized(**limits: Any) -> assertions.Template:
    stack = Stack()
    settings = Settings(stage="dev", api=ApiSettings.model_validate_json(json.dumps(limits)))
    handler, authorizer = (
        lambda_.Function.from_function_attributes(stack, name, function_arn=arn, same_environment=True)
        for name, arn in (("Handler", HANDLER), ("Authorizer", AUTHORIZER))
    )
    Api(stack, "Api", settings=settings, handler=handler, authorizer=None if settings.api.auth.iam else authorizer)
    return assertions.Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> assertions.Template:
    return synthesized(throttle_rate=7, throttle_burst=9, quota_per_day=100, all_rate=70, all_burst=90)


def only(template: assertions.Template, kind: str) -> dict[str, Any]:
    (resource,) = template.find_resources(kind).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def methods(template: assertions.Template) -> dict[str, dict[str, Any]]:
    found = [each["Properties"] for each in template.find_resources("AWS::ApiGateway::Method").values()]
    return {each["HttpMethod"]: each for each in found}


def test_every_method_asks_who_asks_for_a_key_of_the_plan_and_for_what_its_path_needs(
    template: assertions.Template,
) -> None:
    (authorizer,) = template.find_resources("AWS::ApiGateway::Authorizer")
    (validator,) = template.find_resources("AWS::ApiGateway::RequestValidator")
    assert set(methods(template)) == {"ANY"}
    for method in methods(template).values():
        assert (method["AuthorizationType"], method["AuthorizerId"]) == ("CUSTOM", {"Ref": authorizer})
        assert method["ApiKeyRequired"] is True
        assert method["RequestParameters"] == {"method.request.path.proxy": True}
        assert method["RequestValidatorId"] == {"Ref": validator}
    assert only(template, "AWS::ApiGateway::RequestValidator")["ValidateRequestParameters"] is True


def test_the_authorizer_is_asked_by_the_header_and_remembered_for_a_minute(template: assertions.Template) -> None:
    authorizer = only(template, "AWS::ApiGateway::Authorizer")
    assert (authorizer["Type"], authorizer["IdentitySource"]) == ("REQUEST", "method.request.header.x-api-key")
    assert authorizer["AuthorizerResultTtlInSeconds"] == 60
    assert AUTHORIZER in json.dumps(authorizer["AuthorizerUri"])
    # It names the key that is counted: the value of a key in API Gateway opens nothing by itself.
    assert only(template, "AWS::ApiGateway::RestApi")["ApiKeySourceType"] == "AUTHORIZER"


def test_tokens_are_asked_for_where_the_settings_name_an_issuer() -> None:
    template = synthesized(auth={"jwt": JWT})
    assert only(template, "AWS::ApiGateway::Authorizer")["IdentitySource"] == "method.request.header.Authorization"
    for method in methods(template).values():
        assert (method["AuthorizationType"], method["ApiKeyRequired"]) == ("CUSTOM", False)
    assert template.find_resources("AWS::ApiGateway::UsagePlan") == {}


def test_signatures_are_asked_for_where_the_settings_name_roles() -> None:
    template = synthesized(auth={"iam": {"arn:aws:iam::123456789012:role/analyst": ["read:*"]}})
    for method in methods(template).values():
        assert (method["AuthorizationType"], method["ApiKeyRequired"]) == ("AWS_IAM", False)
    for kind in ("UsagePlan", "Authorizer"):
        assert template.find_resources(f"AWS::ApiGateway::{kind}") == {}
    unsigned = template.find_resources(
        "AWS::ApiGateway::GatewayResponse", {"Properties": {"ResponseType": "MISSING_AUTHENTICATION_TOKEN"}}
    )
    assert [each["Properties"]["StatusCode"] for each in unsigned.values()] == ["401"]


def test_a_firewall_stands_before_the_api_where_the_settings_ask_for_one(template: assertions.Template) -> None:
    assert template.find_resources("AWS::WAFv2::WebACL") == {}
    guarded = synthesized(waf={"requests_per_address": 500})
    (acl,) = guarded.find_resources("AWS::WAFv2::WebACL")
    rules = only(guarded, "AWS::WAFv2::WebACL")["Rules"]
    assert rules[0]["Statement"]["RateBasedStatement"]["Limit"] == 500
    assert rules[0]["Action"] == {"Block": {}}
    managed = [each["Statement"]["ManagedRuleGroupStatement"]["Name"] for each in rules[1:]]
    assert "AWSManagedRulesCommonRuleSet" in managed
    association = only(guarded, "AWS::WAFv2::WebACLAssociation")
    assert association["WebACLArn"] == {"Fn::GetAtt": [acl, "Arn"]}
    (stage,) = guarded.find_resources("AWS::ApiGateway::Stage")
    assert {"Ref": stage} in association["ResourceArn"]["Fn::Join"][1]


def test_every_path_below_v1_reaches_the_function(template: assertions.Template) -> None:
    parts = {each["Properties"]["PathPart"] for each in template.find_resources("AWS::ApiGateway::Resource").values()}
    assert parts == {"v1", "{proxy+}"}
    for method in methods(template).values():
        assert method["Integration"]["Type"] == "AWS_PROXY"
        assert HANDLER in json.dumps(method["Integration"]["Uri"])


def test_only_this_api_may_invoke_the_functions(template: assertions.Template) -> None:
    (api,) = template.find_resources("AWS::ApiGateway::RestApi")
    permissions = [each["Properties"] for each in template.find_resources("AWS::Lambda::Permission").values()]
    assert {each["FunctionName"] for each in permissions} == {HANDLER, AUTHORIZER}
    for permission in permissions:
        assert permission["Principal"] == "apigateway.amazonaws.com"
        assert {"Ref": api} in permission["SourceArn"]["Fn::Join"][1]


def test_each_key_is_bound_to_the_limits_of_the_settings_and_the_template_has_none(
    template: assertions.Template,
) -> None:
    plan = only(template, "AWS::ApiGateway::UsagePlan")
    assert plan["Throttle"] == {"RateLimit": 7, "BurstLimit": 9}
    assert plan["Quota"] == {"Limit": 100, "Period": "DAY"}
    assert template.find_resources("AWS::ApiGateway::ApiKey") == {}


def test_all_callers_together_are_bounded_traced_and_logged(template: assertions.Template) -> None:
    stage = only(template, "AWS::ApiGateway::Stage")
    assert (stage["StageName"], stage["TracingEnabled"]) == ("dev", True)
    (limits,) = stage["MethodSettings"]
    assert (limits["ThrottlingRateLimit"], limits["ThrottlingBurstLimit"]) == (70, 90)
    assert (limits["LoggingLevel"], limits["MetricsEnabled"], limits["DataTraceEnabled"]) == ("ERROR", True, False)
    logged = json.loads(stage["AccessLogSetting"]["Format"])
    assert logged["requestId"] == "$context.requestId"
    assert {"status", "path", "apiKeyId", "integrationLatency"} <= set(logged)
    assert logged["caller"] == "$context.authorizer.caller"
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
            "gatewayresponse.header.Content-Type": "'application/problem+json'",
            "gatewayresponse.header.X-Request-Id": "context.requestId",
        }, kind
        # API Gateway puts a quoted string where the message stands.
        body = response["ResponseTemplates"]["application/json"].replace("$context.error.messageString", '"message"')
        problem = json.loads(body)
        assert {"type", "title", "detail", "request_id"} <= set(problem), kind
        assert problem.get("status") == (int(response["StatusCode"]) if "StatusCode" in response else None), kind
    assert responses["MISSING_AUTHENTICATION_TOKEN"]["StatusCode"] == "404"
    unknown = [responses[kind] for kind in ("UNAUTHORIZED", "ACCESS_DENIED", "INVALID_API_KEY")]
    assert {response["StatusCode"] for response in unknown} == {"401"}
    assert len({response["ResponseTemplates"]["application/json"] for response in unknown}) == 1


def test_the_role_that_all_stages_share_stays_when_a_stack_goes(template: assertions.Template) -> None:
    (account,) = template.find_resources("AWS::ApiGateway::Account").values()
    (role,) = template.find_resources("AWS::IAM::Role").values()
    assert account["DeletionPolicy"] == role["DeletionPolicy"] == "Retain"


def test_a_browser_is_answered_only_where_the_settings_name_its_origin(template: assertions.Template) -> None:
    assert "OPTIONS" not in methods(template)
    allowed = synthesized(cors_origins=("https://shop.example",)).find_resources(
        "AWS::ApiGateway::Method", {"Properties": {"HttpMethod": "OPTIONS"}}
    )
    assert all("'https://shop.example'" in json.dumps(each) for each in allowed.values())
    assert allowed


def test_answers_may_be_bytes(template: assertions.Template) -> None:
    template.has_resource_properties("AWS::ApiGateway::RestApi", {"BinaryMediaTypes": ["*/*"]})


def test_a_page_of_several_origins_may_read_refusals_too() -> None:
    template = synthesized(cors_origins=("https://shop.example", "https://office.example"))
    preflight = json.dumps(
        template.find_resources("AWS::ApiGateway::Method", {"Properties": {"HttpMethod": "OPTIONS"}})
    )
    assert "https://shop.example" in preflight
    assert "https://office.example" in preflight
    # Without it, API Gateway answers preflights with 500, because all bodies are bytes (see the test above).
    assert preflight.count('"ContentHandling": "CONVERT_TO_TEXT"') == preflight.count('"Type": "MOCK"') > 0
    for response in template.find_resources("AWS::ApiGateway::GatewayResponse").values():
        assert response["Properties"]["ResponseParameters"] == {
            "gatewayresponse.header.Content-Type": "'application/problem+json'",
            "gatewayresponse.header.X-Request-Id": "context.requestId",
            "gatewayresponse.header.Access-Control-Allow-Origin": "'*'",
        }
