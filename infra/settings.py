"""Typed settings of each stage: defaults in code, overridden by the `nightlake:<stage>` key of cdk.json's context."""

import json
from typing import Annotated, Literal

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from nightlake.core.errors import NightlakeError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

FunctionName = Literal[
    "prepare",
    "define_table",
    "plan",
    "plan_http",
    "plan_postgres",
    "convert",
    "convert_postgres",
    "validate",
    "explain",
    "seal",
    "statement",
    "audit_across",
    "audit_merge",
    "publish",
    "report",
    "complete",
    "rollback",
    "collect_garbage",
    "watchdog",
    "pin_model",
    "train_model",
    "evaluate_model",
    "promote_model",
    "measure_model",
    "score_users",
    "deliver_model",
    "finish_model",
    "query",
    "authorize",
    "notify",
]
Days = Annotated[int, Field(ge=1, le=3650)]
_HttpsUrl = Annotated[str, StringConstraints(pattern=r"^https://[^\s?#]+$")]
_Scope = Annotated[str, StringConstraints(pattern=r"^(read|private|query|operate):(\*|[a-z][a-z0-9-]*)$")]

RUNNING = "nightlake:running"
"""The key of CDK's context under which `nightlake deploy` says what runs on this machine for the local stage."""

_LOG_RETENTION = {
    1: logs.RetentionDays.ONE_DAY,
    3: logs.RetentionDays.THREE_DAYS,
    7: logs.RetentionDays.ONE_WEEK,
    14: logs.RetentionDays.TWO_WEEKS,
    30: logs.RetentionDays.ONE_MONTH,
    90: logs.RetentionDays.THREE_MONTHS,
    180: logs.RetentionDays.SIX_MONTHS,
    365: logs.RetentionDays.ONE_YEAR,
    731: logs.RetentionDays.TWO_YEARS,
}


def _id(kind: str) -> str:
    """The pattern of EC2's ids."""
    return rf"^{kind}-[0-9a-f]{{8}}(?:[0-9a-f]{{9}})?$"


class SettingsError(NightlakeError):
    """A stage is unknown or its settings in cdk.json are wrong; the message says which key, its value and why."""


class _Model(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class FunctionSettings(_Model):
    """Capacity of one Lambda function: memory in MiB (1,769 is one vCPU) and concurrency kept for it alone."""

    memory_mb: int = Field(default=512, ge=128, le=10240)
    reserved_concurrency: int | None = Field(default=None, ge=1)


class Webhook(_Model):
    """A chat channel that receives alerts: its URL is the value of the Secrets Manager secret `secret_name`."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    kind: Literal["slack", "teams"]
    secret_name: Annotated[str, StringConstraints(min_length=1, max_length=512)]


class JwtAuth(_Model):
    """Tokens of an issuer (OpenID Connect) instead of keys; its public keys are at `jwks_url`.

    `scopes_claim` names the claim that holds the scopes, a text with blanks between them or a list; of each, what
    follows `scope_prefix` counts.
    """

    issuer: _HttpsUrl
    audience: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    jwks_url: _HttpsUrl
    scopes_claim: Annotated[str, StringConstraints(min_length=1, max_length=128)] = "scope"
    scope_prefix: Annotated[str, StringConstraints(max_length=512)] = ""


class ApiAuth(_Model):
    """How the API knows who asks: by a key of ours, unless it is said otherwise.

    With `jwt`, a token in the header `Authorization`. With `iam`, requests signed by AWS credentials: it maps the ARN
    of each role or user to its scopes.
    """

    jwt: JwtAuth | None = None
    iam: (
        dict[
            Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::\d{12}:(role|user)/.+$")],
            Annotated[tuple[_Scope, ...], Field(min_length=1)],
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_way(self) -> "ApiAuth":
        if self.jwt and self.iam:
            raise ValueError("a caller is known by a token or by AWS credentials: keep one of jwt and iam")
        return self

    @property
    def kind(self) -> Literal["key", "jwt", "iam"]:
        """The way in one word."""
        return "jwt" if self.jwt else "iam" if self.iam else "key"


class Firewall(_Model):
    """A web ACL before the API: AWS's managed rules, and so many requests of one address in five minutes."""

    requests_per_address: int = Field(default=2_000, ge=10)


class ApiSettings(_Model):
    """Who may ask the query API, and how much: `throttle_*` and `quota_per_day` are of one key (steady requests per
    second, burst, requests a day), `all_*` of all callers together. A caller may have `queries_at_once` under way, each
    of which scans at most `query_scan_cutoff_mb`. `private` lets the API read private tables at all,
    for callers with that scope. Pages of `cors_origins` may read the answers.
    """

    auth: ApiAuth = ApiAuth()
    throttle_rate: int = Field(default=20, ge=1)
    throttle_burst: int = Field(default=40, ge=1)
    quota_per_day: int = Field(default=10_000, ge=1)
    all_rate: int = Field(default=100, ge=1)
    all_burst: int = Field(default=200, ge=1)
    queries_at_once: int = Field(default=2, ge=1, le=20)
    query_scan_cutoff_mb: int = Field(default=10_000, ge=10)
    private: bool = True
    waf: Firewall | None = None
    cors_origins: tuple[Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^\s/*]+)$")], ...] = ()

    @field_validator("cors_origins")
    @classmethod
    def _all_or_some(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if "*" in origins and len(origins) > 1:
            raise ValueError("'*' stands for every origin: it stands alone")
        return origins


class Database(_Model):
    """A PostgreSQL database that pipelines read, under the name that their sources give it.

    The secret is JSON as RDS writes it: `username`, `password`, `host`, `port`, `dbname`; what is said here goes before
    it, since a secret that RDS manages itself has only the first two. `secret_key_arn` is the KMS key of a secret that
    has one of its own. `security_group_id` is the database's, which lets our functions in. `trial` makes a small,
    empty database instead; it takes nothing else.
    """

    secret_name: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    secret_key_arn: Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:kms:.+:key/.+$")] | None = None
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+$")] | None = None
    port: int = Field(default=5432, ge=1, le=65535)
    dbname: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    security_group_id: Annotated[str, StringConstraints(pattern=_id("sg"))] | None = None
    trial: bool = False

    @model_validator(mode="after")
    def _one_database(self) -> "Database":
        if self.trial and self != Database.model_construct(trial=True):
            raise ValueError("a trial database is made from nothing: remove what else is said of it, or remove trial")
        if not self.trial and self.secret_name is None:
            raise ValueError("name the secret with the credentials as secret_name, or let `trial` make a database")
        return self


class Network(_Model):
    """The VPC in which functions reach the databases: it is yours, and nothing in it is looked up at synth.

    `route_table_ids` are those of the subnets that get a gateway to S3 from us; none where there is one already.
    `s3_prefix_list_id` is what AWS calls the addresses of S3 in your region. With `secrets_endpoint_security_group_id`,
    the endpoint of Secrets Manager that you have is used (with private DNS); without, we make one for our functions.
    """

    vpc_id: Annotated[str, StringConstraints(pattern=_id("vpc"))]
    subnet_ids: Annotated[tuple[Annotated[str, StringConstraints(pattern=_id("subnet"))], ...], Field(min_length=1)]
    route_table_ids: tuple[Annotated[str, StringConstraints(pattern=_id("rtb"))], ...] = ()
    s3_prefix_list_id: Annotated[str, StringConstraints(pattern=_id("pl"))]
    secrets_endpoint_security_group_id: Annotated[str, StringConstraints(pattern=_id("sg"))] | None = None


_CAPACITIES: dict[FunctionName, FunctionSettings] = {
    "query": FunctionSettings(memory_mb=1769),
    "plan": FunctionSettings(memory_mb=1769),
    "plan_http": FunctionSettings(memory_mb=1024),
    "convert": FunctionSettings(memory_mb=1769),
    "convert_postgres": FunctionSettings(memory_mb=1769),
    "validate": FunctionSettings(memory_mb=1024),
    "publish": FunctionSettings(memory_mb=1769),
    # What an account may have before it asks for more; docs/recommendations.md says what how many users need.
    "train_model": FunctionSettings(memory_mb=3008),
    "evaluate_model": FunctionSettings(memory_mb=3008),
    "measure_model": FunctionSettings(memory_mb=3008),
    "score_users": FunctionSettings(memory_mb=1769),
    "deliver_model": FunctionSettings(memory_mb=1769),
}
# A night takes all the concurrency that an account has left: what readers need is kept for them.
_KEPT_FOR_READERS: dict[FunctionName, FunctionSettings] = {
    "query": FunctionSettings(memory_mb=1769, reserved_concurrency=40),
    "authorize": FunctionSettings(reserved_concurrency=10),
}


class Settings(_Model):
    """Everything that differs between stages.

    `endpoints` maps the address of an API to a stand-in for it on this machine; `databases` says where the databases
    are that sources name, `network` how functions reach them.
    `nights_scan_alarm_gb` is how much the statements of all nights may scan in a day before somebody is told.
    `retain` keeps buckets, keys and databases when a stack is deleted; `bi_readers` are the ARNs that may assume the
    BI reader role (none: whoever this account's own IAM policies allow); `convert_concurrency` is how many shards of
    one source are converted at once; `layer` is off where the Lambda runtime
    already has the packages; `log_execution_data` writes state inputs and outputs to the execution log.
    """

    stage: Literal["local", "dev", "prod"]
    account: Annotated[str, StringConstraints(pattern=r"^\d{12}$")] | None = None
    region: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] | None = None

    retain: bool = False
    termination_protection: bool = False
    raw_archive_days: Days = 30
    raw_expiry_days: Days = 731
    quarantine_expiry_days: Days = 30
    nights_scan_alarm_gb: int = Field(default=1_000, ge=1)
    bi_scan_cutoff_mb: int = Field(default=100_000, ge=10)
    bi_readers: tuple[Annotated[str, StringConstraints(pattern=r"^arn:[a-z-]+:iam::\d{12}:.+$")], ...] = ()

    architecture: Literal["arm64", "x86_64"] = "arm64"
    layer: bool = True
    functions: dict[FunctionName, FunctionSettings] = _CAPACITIES
    convert_concurrency: int = Field(default=40, ge=1, le=10_000)
    endpoints: dict[
        Annotated[str, StringConstraints(pattern=r"^https://[^\s/]+$")],
        Annotated[str, StringConstraints(pattern=r"^http://127\.0\.0\.1:\d+$")],
    ] = {}
    databases: dict[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,31}$")], Database] = {}
    network: Network | None = None
    log_retention_days: Literal[1, 3, 7, 14, 30, 90, 180, 365, 731] = 30
    log_execution_data: bool = True

    alarm_emails: tuple[Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$")], ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    api: ApiSettings = ApiSettings()

    @field_validator("raw_expiry_days")
    @classmethod
    def _expires_after_it_is_archived(cls, days: int, info: ValidationInfo) -> int:
        archived = info.data.get("raw_archive_days", 0)
        if days <= archived:
            raise ValueError(f"S3 expires an object only after it is archived: give more than {archived} days")
        return days

    @field_validator("endpoints")
    @classmethod
    def _no_stand_in_is_deployed(cls, endpoints: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if endpoints and info.data.get("stage") != "local":
            raise ValueError("only the local stage has stand-ins for APIs: remove endpoints")
        return endpoints

    @model_validator(mode="after")
    def _databases_are_reached(self) -> "Settings":
        trials = {name for name, database in self.databases.items() if database.trial}
        own = self.databases.keys() - trials
        if self.stage == "local":
            if trials or self.network:
                raise ValueError("the local stage has its own PostgreSQL: neither a trial database nor a network")
        elif trials and (own or self.network):
            raise ValueError(
                "a trial database stands in a network of its own, which functions cannot share with yours: remove "
                f"`trial` of {', '.join(sorted(trials))}, or `network` and the other databases"
            )
        elif own and self.network is None:
            raise ValueError(f"functions reach {', '.join(sorted(own))} in a VPC: say which one as `network`")
        elif own:
            for name in sorted(own):
                if self.databases[name].security_group_id is None:
                    raise ValueError(f"databases.{name} needs security_group_id: the group that lets our functions in")
        return self

    def function(self, name: FunctionName) -> FunctionSettings:
        """Capacity of the function called `name`."""
        return self.functions.get(name, FunctionSettings())

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What becomes of stateful resources when their stack is deleted."""
        return RemovalPolicy.RETAIN if self.retain else RemovalPolicy.DESTROY

    @property
    def log_retention(self) -> logs.RetentionDays:
        """`log_retention_days` in CDK's words."""
        return _LOG_RETENTION[self.log_retention_days]


_STAGES = {
    "local": Settings(stage="local", layer=False, log_retention_days=1),
    "dev": Settings(stage="dev", log_retention_days=14),
    "prod": Settings(
        stage="prod",
        retain=True,
        termination_protection=True,
        log_retention_days=365,
        log_execution_data=False,
        functions=_CAPACITIES | _KEPT_FOR_READERS,
    ),
}


def load_settings(stage: object, overrides: object = None, *, sources: object = None) -> Settings:
    """Settings of `stage`, with the JSON object `overrides` laid over its defaults.

    Over both goes `sources`, the JSON text of what runs on this machine for the local stage: `endpoints`, `databases`.

    Raises:
        SettingsError: the stage is unknown, or an override has an unknown key or a value that is not allowed.
    """
    if not isinstance(stage, str) or stage not in _STAGES:
        raise SettingsError(f"stage is {stage!r}: say which one with `-c stage={'|'.join(_STAGES)}`")
    key = f"nightlake:{stage}"
    if overrides is None and sources is None:
        return _STAGES[stage]
    overrides = {} if overrides is None else overrides
    if not isinstance(overrides, dict) or "stage" in overrides:
        raise SettingsError(f"cdk.json: context {key!r} must be an object of settings without `stage`: {overrides!r}")
    merged = _laid_over(_laid_over(_STAGES[stage].model_dump(mode="json"), overrides), _running(sources))
    try:
        return Settings.model_validate_json(json.dumps(merged))
    except ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, problem['loc'])) or key} = {_input(problem)}: {problem['msg']}"
            for problem in error.errors()
        )
        raise SettingsError(f"cdk.json: context {key!r} is refused:\n{problems}") from error


def _input(problem: ErrorDetails) -> str:
    """What was wrong; nothing less than all settings is too much to show."""
    return repr(problem["input"]) if problem["loc"] else "{...}"


def _running(sources: object) -> dict[str, object]:
    if sources is None:
        return {}
    try:
        running = json.loads(str(sources))
    except ValueError:
        running = None
    if not isinstance(running, dict) or running.keys() - {"endpoints", "databases"}:
        raise SettingsError(
            f"context {RUNNING!r} must be a JSON object of `endpoints` and `databases`, as `nightlake up` writes it: "
            f"{sources!r}"
        )
    return running


def _laid_over(defaults: dict[str, object], overrides: dict[str, object]) -> dict[str, object]:
    merged = dict(defaults)
    for key, value in overrides.items():
        default = merged.get(key)
        merged[key] = _laid_over(default, value) if isinstance(default, dict) and isinstance(value, dict) else value
    return merged
