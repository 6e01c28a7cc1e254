"""The query API: a regional REST API in front of one function, with keys, limits, logs and problem+json errors."""

import json
from typing import NamedTuple, cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.nag import acknowledge
from infra.settings import ApiSettings, Settings

_PUSH_LOGS = "arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"


class _Problem(NamedTuple):
    """What API Gateway answers itself, before the function is asked; without a detail, its own message is it."""

    kind: apigateway.ResponseType
    title: str
    status: int | None = None
    detail: str | None = None

    def template(self) -> str:
        """An RFC 9457 document as a mapping template."""
        members = {
            "type": json.dumps("about:blank"),
            "title": json.dumps(self.title),
            "detail": json.dumps(self.detail) if self.detail else "$context.error.messageString",
            "request_id": json.dumps("$context.requestId"),
        } | ({"status": str(self.status)} if self.status else {})
        return "{" + ", ".join(f'"{name}": {value}' for name, value in members.items()) + "}"


_Kind = apigateway.ResponseType
_PROBLEMS = {
    "NoSuchRoute": _Problem(
        _Kind.MISSING_AUTHENTICATION_TOKEN, "Not Found", 404, "The API answers to GET on paths that begin with /v1/."
    ),
    "InvalidKey": _Problem(
        _Kind.INVALID_API_KEY, "Forbidden", 403, "Send the header x-api-key with a key that may use this API."
    ),
    "Throttled": _Problem(
        _Kind.THROTTLED, "Too Many Requests", 429, "More requests a second than allowed: wait and try again."
    ),
    "QuotaExceeded": _Problem(
        _Kind.QUOTA_EXCEEDED, "Too Many Requests", 429, "This key has used up its requests of the day."
    ),
    "Refused": _Problem(_Kind.DEFAULT_4_XX, "Refused"),
    "Failed": _Problem(_Kind.DEFAULT_5_XX, "Failed"),
}
_ACCESS_LOG = {
    "requestId": apigateway.AccessLogField.context_request_id(),
    "time": apigateway.AccessLogField.context_request_time(),
    "sourceIp": apigateway.AccessLogField.context_identity_source_ip(),
    "apiKeyId": apigateway.AccessLogField.context_identity_api_key_id(),
    "method": apigateway.AccessLogField.context_http_method(),
    "path": apigateway.AccessLogField.context_path(),
    "status": apigateway.AccessLogField.context_status(),
    "responseLength": apigateway.AccessLogField.context_response_length(),
    "responseLatency": apigateway.AccessLogField.context_response_latency(),
    "integrationLatency": apigateway.AccessLogField.context_integration_latency(),
    "errorType": apigateway.AccessLogField.context_error_response_type(),
    "traceId": apigateway.AccessLogField.context_xray_trace_id(),
}


class Api(Construct):
    """`GET /v1/...` of one stage. Which routes there are is decided in the function alone.

    Attributes:
        rest_api: The API, deployed to a stage named like ours.
        key: The first API key; its value is read with `aws apigateway get-api-key --include-value`.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, handler: lambda_.IFunction) -> None:
        """`handler` is an alias: an integration with a version would need a new deployment of the API each time."""
        super().__init__(scope, construct_id)
        name = f"nightlake-{settings.stage}"
        self.rest_api = self._rest_api(name, settings)
        self.rest_api.root.add_resource("v1").add_resource("{proxy+}").add_method(
            "GET",
            apigateway.LambdaIntegration(handler, allow_test_invoke=False),
            api_key_required=True,
            request_parameters={"method.request.path.proxy": True},
            request_validator=self.rest_api.add_request_validator(
                "Validator",
                request_validator_name=f"{name}-parameters",
                validate_request_parameters=True,
                validate_request_body=True,
            ),
        )
        headers = {"Content-Type": "'application/problem+json'"}
        if settings.api.cors_origins:
            # These answers know nothing of the caller's origin; they say nothing of the lake either.
            headers["Access-Control-Allow-Origin"] = "'*'"
        for construct_name, problem in _PROBLEMS.items():
            self.rest_api.add_gateway_response(
                construct_name,
                type=problem.kind,
                status_code=str(problem.status) if problem.status else None,
                response_headers=headers,
                templates={"application/json": problem.template()},
            )
        self.key = self._key(name, settings.api)
        acknowledge(
            self.rest_api,
            {
                "APIG3": "Throttling and quotas bound what a caller can cost; a web ACL belongs to the account's edge.",
                "APIG4": "A key of a usage plan is asked for; it opens published tables, never their private columns.",
                "COG4": "Users are not kept in Cognito; a key of a usage plan is asked for.",
            },
        )

    def _rest_api(self, name: str, settings: Settings) -> apigateway.RestApi:
        access_log = logs.LogGroup(
            self,
            "AccessLog",
            log_group_name=f"/aws/apigateway/{name}",
            retention=settings.log_retention,
            removal_policy=RemovalPolicy.DESTROY,
        )
        rest_api = apigateway.RestApi(
            self,
            "RestApi",
            rest_api_name=name,
            description="Datasets of the lake",
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # API Gateway writes logs with one role per account and region. Every stage sets its own, and roles and
            # setting stay when a stack goes: whichever stage wrote last, the role it named exists.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            default_cors_preflight_options=_cors(settings.api),
            deploy_options=apigateway.StageOptions(
                stage_name=settings.stage,
                throttling_rate_limit=settings.api.throttle_rate,
                throttling_burst_limit=settings.api.throttle_burst,
                logging_level=apigateway.MethodLoggingLevel.ERROR,
                metrics_enabled=True,
                tracing_enabled=True,
                access_log_destination=apigateway.LogGroupLogDestination(access_log),
                access_log_format=apigateway.AccessLogFormat.custom(json.dumps(_ACCESS_LOG)),
            ),
        )
        # The L2 has no words yet for the endpoint's own TLS policy: 1.2 with forward secrecy at least.
        cfn_api = cast("apigateway.CfnRestApi", rest_api.node.default_child)
        cfn_api.security_policy = "SecurityPolicy_TLS13_1_2_PFS_PQ_2025_09"
        cfn_api.endpoint_access_mode = "STRICT"
        # CDK's own output of the address: the stack has one with a fixed name.
        rest_api.node.try_remove_child("Endpoint")
        acknowledge(
            rest_api.node.find_child("CloudWatchRole"),
            {f"IAM4[Policy::{_PUSH_LOGS}]": "The policy that AWS keeps for exactly this role of the account."},
        )
        return rest_api

    def _key(self, name: str, limits: ApiSettings) -> apigateway.IApiKey:
        key = self.rest_api.add_api_key("Key", api_key_name=name, description="First caller of the query API")
        plan = self.rest_api.add_usage_plan(
            "UsagePlan",
            name=name,
            throttle=apigateway.ThrottleSettings(rate_limit=limits.throttle_rate, burst_limit=limits.throttle_burst),
            quota=apigateway.QuotaSettings(limit=limits.quota_per_day, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.rest_api, stage=self.rest_api.deployment_stage)],
        )
        plan.add_api_key(key)
        return key


def _cors(limits: ApiSettings) -> apigateway.CorsOptions | None:
    if not limits.cors_origins:
        return None
    return apigateway.CorsOptions(
        allow_origins=list(limits.cors_origins), allow_methods=["GET"], allow_headers=["accept", "x-api-key"]
    )
