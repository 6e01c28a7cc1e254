"""The query API: a regional REST API in front of one function: who may ask, limits, logs and problem+json errors."""

import json
from dataclasses import dataclass
from typing import Final, NamedTuple, cast

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.firewall import Firewall
from infra.nag import acknowledge
from infra.settings import ApiSettings, Settings

_METHODS: Final = ("GET", "POST", "DELETE")
_REMEMBERED: Final = Duration.seconds(60)
"""How long API Gateway keeps who a key or token is of: so long, at most, a revoked key goes on opening."""

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
_HOW: Final = {
    "key": "Send the header x-api-key with a key that is valid.",
    "jwt": "Send the header Authorization: Bearer with a token that is valid.",
    "iam": "Sign the request with AWS credentials (SigV4, service execute-api).",
}
_PROBLEMS = {
    "Blocked": _Problem(_Kind.WAF_FILTERED, "Forbidden", 403, "The API's firewall does not let this request in."),
    "Throttled": _Problem(
        _Kind.THROTTLED, "Too Many Requests", 429, "More requests a second than allowed: wait and try again."
    ),
    "QuotaExceeded": _Problem(
        _Kind.QUOTA_EXCEEDED, "Too Many Requests", 429, "This key has used up its requests of the day."
    ),
    "Refused": _Problem(_Kind.DEFAULT_4_XX, "Refused"),
    "Failed": _Problem(_Kind.DEFAULT_5_XX, "Failed"),
}


def _problems(kind: str) -> dict[str, _Problem]:
    """What API Gateway answers itself where callers are known in this way.

    A request without a signature is, for API Gateway, one of a path that there is not.
    """
    unknown = _Problem(_Kind.UNAUTHORIZED, "Unauthorized", 401, _HOW[kind])
    nowhere = _Problem(
        _Kind.MISSING_AUTHENTICATION_TOKEN,
        "Not Found",
        404,
        "The API answers on paths that begin with /v1/.",
    )
    refused = {
        "Unknown": unknown,
        "Denied": unknown._replace(kind=_Kind.ACCESS_DENIED),
        "NotCounted": unknown._replace(kind=_Kind.INVALID_API_KEY),
        "NoSuchRoute": unknown._replace(kind=nowhere.kind) if kind == "iam" else nowhere,
    }
    return refused | _PROBLEMS


_ACCESS_LOG = {
    "requestId": apigateway.AccessLogField.context_request_id(),
    "time": apigateway.AccessLogField.context_request_time(),
    "sourceIp": apigateway.AccessLogField.context_identity_source_ip(),
    "caller": apigateway.AccessLogField.context_authorizer("caller"),
    "userArn": apigateway.AccessLogField.context_identity_user_arn(),
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


@dataclass(frozen=True)
class _Method:
    """What every method of the API asks of its caller."""

    authorization_type: apigateway.AuthorizationType
    authorizer: apigateway.IAuthorizer | None = None
    api_key_required: bool = False


class Api(Construct):
    """`/v1/...` of one stage. Which routes there are, and what a caller sees of them, is decided in the function.

    Attributes:
        rest_api: The API, deployed to a stage named like ours.
        usage_plan: The limits of each key; None where callers have no keys.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: Settings,
        handler: lambda_.IFunction,
        authorizer: lambda_.IFunction | None,
    ) -> None:
        """`handler` is an alias: an integration with a version would need a new deployment of the API each time.

        So is `authorizer`, which says who asks; without one, callers sign their requests by AWS credentials.
        """
        super().__init__(scope, construct_id)
        name = f"nightlake-{settings.stage}"
        kind = settings.api.auth.kind
        self.rest_api = self._rest_api(name, settings)
        proxy = self.rest_api.root.add_resource("v1").add_resource("{proxy+}")
        integration = apigateway.LambdaIntegration(handler, allow_test_invoke=False)
        validator = self.rest_api.add_request_validator(
            "Validator",
            request_validator_name=f"{name}-parameters",
            validate_request_parameters=True,
            validate_request_body=True,
        )
        asked = self._method(name, kind, authorizer)
        # The function knows which methods a path has, and tells those who ask by another.
        proxy.add_method(
            "ANY",
            integration,
            authorization_type=asked.authorization_type,
            authorizer=asked.authorizer,
            api_key_required=asked.api_key_required,
            request_parameters={"method.request.path.proxy": True},
            request_validator=validator,
        )
        _answer_preflights(self.rest_api)
        headers = {"Content-Type": "'application/problem+json'", "X-Request-Id": "context.requestId"}
        if settings.api.cors_origins:
            # These answers know nothing of the caller's origin; they say nothing of the lake either.
            headers["Access-Control-Allow-Origin"] = "'*'"
        for construct_name, problem in _problems(kind).items():
            self.rest_api.add_gateway_response(
                construct_name,
                type=problem.kind,
                status_code=str(problem.status) if problem.status else None,
                response_headers=headers,
                templates={"application/json": problem.template()},
            )
        self.usage_plan = self._plan(name, settings.api) if kind == "key" else None
        reasons = {"COG4": "Users are not kept in Cognito; a key, a token of any issuer or a signature is asked for."}
        if settings.api.waf:
            stage = self.rest_api.deployment_stage
            Firewall(self, "Firewall", name=name, limits=settings.api.waf, protected=stage.stage_arn)
        else:
            reasons["APIG3"] = (
                "Throttling and quotas bound what a caller can cost; api.waf of the settings makes an ACL."
            )
        acknowledge(self.rest_api, reasons)

    def _method(self, name: str, kind: str, authorizer: lambda_.IFunction | None) -> _Method:
        if authorizer is None:
            return _Method(apigateway.AuthorizationType.IAM)
        header = "x-api-key" if kind == "key" else "Authorization"
        by_header = apigateway.RequestAuthorizer(
            self,
            "Authorizer",
            authorizer_name=f"{name}-authorizer",
            handler=authorizer,
            # A request without it is refused before the function is asked.
            identity_sources=[apigateway.IdentitySource.header(header)],
            results_cache_ttl=_REMEMBERED,
        )
        return _Method(apigateway.AuthorizationType.CUSTOM, by_header, api_key_required=kind == "key")

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
            # The authorizer names the key that a request counts for; the header alone opens nothing.
            api_key_source_type=(apigateway.ApiKeySourceType.AUTHORIZER if settings.api.auth.kind == "key" else None),
            endpoint_types=[apigateway.EndpointType.REGIONAL],
            # API Gateway writes logs with one role per account and region. Every stage sets its own, and roles and
            # setting stay when a stack goes: whichever stage wrote last, the role it named exists.
            cloud_watch_role=True,
            cloud_watch_role_removal_policy=RemovalPolicy.RETAIN,
            # Arrow, Parquet and what is zipped are bytes; who asks for which is the function's to decide.
            binary_media_types=["*/*"],
            default_cors_preflight_options=_cors(settings.api),
            deploy_options=apigateway.StageOptions(
                stage_name=settings.stage,
                throttling_rate_limit=settings.api.all_rate,
                throttling_burst_limit=settings.api.all_burst,
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

    def _plan(self, name: str, limits: ApiSettings) -> apigateway.UsagePlan:
        """The limits of each key: `nightlake api keys` puts keys in whose values are the hashes of ours."""
        return self.rest_api.add_usage_plan(
            "UsagePlan",
            name=name,
            throttle=apigateway.ThrottleSettings(rate_limit=limits.throttle_rate, burst_limit=limits.throttle_burst),
            quota=apigateway.QuotaSettings(limit=limits.quota_per_day, period=apigateway.Period.DAY),
            api_stages=[apigateway.UsagePlanPerApiStage(api=self.rest_api, stage=self.rest_api.deployment_stage)],
        )


def _answer_preflights(rest_api: apigateway.RestApi) -> None:
    """Where all bodies are bytes, API Gateway reads the template of a preflight's answer only when told it is text."""
    for each in rest_api.node.find_all():
        if isinstance(each, apigateway.CfnMethod) and each.http_method == "OPTIONS":
            each.add_property_override("Integration.ContentHandling", "CONVERT_TO_TEXT")


def _cors(limits: ApiSettings) -> apigateway.CorsOptions | None:
    if not limits.cors_origins:
        return None
    return apigateway.CorsOptions(
        allow_origins=list(limits.cors_origins),
        allow_methods=list(_METHODS),
        allow_headers=["accept", "authorization", "content-type", "if-none-match", "x-api-key"],
    )
