"""The seams: where the pinned emulator is made to behave as AWS does, and the list of what still differs.

This is the one file that touches the emulator's inside. Every seam replaces attributes of its modules; `install` first
compares each with the source that the seam was written against, so that another emulator fails here and not in a test.
"""

import asyncio
import contextvars
import dataclasses
import hashlib
import importlib
import importlib.metadata
import inspect
import json
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from local import resources
from local.errors import EmulatorDiffersError
from local.outages import Outages

if TYPE_CHECKING:
    from local.athena.service import Athena

EMULATOR_VERSION = "1.5.33"
PAYLOAD_BYTES = 256 * 1024

State = Literal["restored", "recorded", "open"]


@dataclass(frozen=True)
class Difference:
    """One thing that the emulator does otherwise than AWS.

    `state`: restored by a seam; recorded, when the API shows it but nothing happens; open, when it stays. `cover` says
    what keeps it from fooling us.
    """

    name: str
    emulator: str
    aws: str
    state: State
    cover: str = ""


_on_threads: set[str] = set()
"""CloudFormation types whose handlers call the emulator over HTTP, and so must not run on its event loop."""
_installers: list[tuple[Difference, Callable[[], None]]] = []


def _seam(name: str, *, emulator: str, aws: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    def register(installer: Callable[[], None]) -> Callable[[], None]:
        _installers.append((Difference(name, emulator, aws, "restored"), installer))
        return installer

    return register


PATCHED: dict[str, str] = {
    "core.iam_actions:extract_resource_arn": "82f51700695c",
    "core.iam_evaluator:EvalContext": "f5769904b3fa",
    "core.iam_evaluator:ParsedStatement": "8326ee8936c8",
    "core.iam_evaluator:_first_match": "dc96ef4846c7",
    "core.iam_evaluator:enforce": "cf64b1ee5b09",
    "core.iam_evaluator:evaluate": "2a5dd6932d1a",
    "core.lambda_runtime:Worker": "a0bd1819a704",
    "core.lambda_runtime:_PYTHON_WORKER_SCRIPT": "368800addf4d",
    "services.apigateway_v1:_api_key_from_request": "6b0bb5f515d3",
    "services.apigateway_v1:_authorize_request_v1": "46b3fe37fe98",
    "services.apigateway_v1:_build_lambda_event_v1": "c7ac97b91f6e",
    "services.apigateway_v1:_invoke_authorizer_lambda": "5a7f4c427120",
    "services.apigateway_v1:_lambda_proxy_response": "3a5b91b76870",
    "services.apigateway_v1:_resolve_api_key": "fb03513d6e57",
    "services.athena:_create_prepared_statement": "f34c73764b97",
    "services.athena:_ensure_default_data_catalog": "df3292f38032",
    "services.athena:_ensure_default_workgroup": "4a7c249da6a2",
    "services.athena:_execution_out": "2236e9cdc564",
    "services.athena:handle_request": "2f5558612eba",
    "services.cloudformation.provisioners:_apigw_method_create": "9460bc3fd7ff",
    "services.cloudformation.provisioners:_apigw_method_update": "dcfd9124eea1",
    "services.cloudformation.provisioners:_apigw_request_validator_create": "f9fe42d289fd",
    "services.cloudformation.provisioners:_apigw_rest_api_create": "7c984880e447",
    "services.cloudformation.provisioners:_apigw_rest_api_update": "9dee2ef4d951",
    "services.cloudformation.provisioners:_cfn_nested_stack_deploy": "66d29efafd8a",
    "services.cloudformation.provisioners:_lambda_create": "8b2cf80e961d",
    "services.cloudformation.provisioners:_lambda_update": "4855410e37d7",
    "services.cloudformation.provisioners:_s3_create": "477b78a3cb15",
    "services.cloudformation.provisioners:_s3_delete": "52bcaf59bd5b",
    "services.cloudformation.provisioners:_s3_update": "1d4f3f6390bb",
    "services.cloudformation.provisioners:_scheduler_schedule_create": "76f27cf333eb",
    "services.cloudformation.provisioners:_scheduler_schedule_update": "70e0243c9de1",
    "services.cloudformation.provisioners:_sfn_state_machine_create": "d2ffde42cb0e",
    "services.cloudformation.provisioners:_sfn_state_machine_update": "e6b56ee6ad59",
    "services.cloudformation.provisioners:_sm_secret_create": "0bae0110fce2",
    "services.cloudformation.provisioners:_sm_secret_delete": "4ff615ac8289",
    "services.cloudformation.provisioners:_sm_secret_update": "e87220a5ff35",
    "services.cloudformation.provisioners:_sns_create": "0a96666a036a",
    "services.cloudformation.provisioners:_sns_update": "a29cbf08e7b5",
    "services.cloudformation.provisioners:_update_resource": "21b9b1207f59",
    "services.cloudformation.stacks:_runs_on_worker_thread": "23955511141f",
    "services.cloudwatch:record_metric": "7f777bfbe523",
    "services.eventbridge:_cron_next_fire": "6c0efd26b612",
    "services.eventbridge:_invoke_target": "550e304af080",
    "services.eventbridge:_parse_cron_fields": "c88b90c1864d",
    "services.eventbridge:_pattern_event_view": "a472224bb7b0",
    "services.glue:_batch_update_partition": "6de4fa27ce03",
    "services.glue:_create_table": "6cd8e49bce8e",
    "services.glue:_delete_partition": "64266f7ac72d",
    "services.glue:_get_partition": "92d884f5661c",
    "services.glue:_handle_request_sync": "23d06ad23cad",
    "services.lambda_svc:_execute_function_warm": "62b9218bef5b",
    "services.lambda_svc:_get_func_record_for_ref": "492b4efe8f90",
    "services.lambda_svc:_reserved_concurrency": "ebec4b4bba77",
    "services.s3:_get_object": "64ad7071ef0e",
    "services.s3:_parse_range": "0631595e6e00",
    "services.s3:_range_error_xml": "7bf593fed84f",
    "services.s3:_resolve_sse_write_headers": "2affef5a7d37",
    "services.s3:handle_request": "0856144f19e7",
    "services.scheduler:_at_time_epoch": "6f3f5ab6fca1",
    "services.scheduler:_tick_schedules": "0ece514e9120",
    "services.secretsmanager:_resolve": "457901fe05e6",
    "services.sqs:_queue_by_arn": "b4981875c818",
    "services.stepfunctions:_add_event": "b1db143ccd21",
    "services.stepfunctions:_apply_input_path": "65be3f029517",
    "services.stepfunctions:_apply_output_path": "e9cfd0067244",
    "services.stepfunctions:_call_lambda": "25830369b126",
    "services.stepfunctions:_emit_execution_status_event": "9c89e45693e3",
    "services.stepfunctions:_error_matches": "519b9dc729c5",
    "services.stepfunctions:_evaluate_rule": "728e6547c8ca",
    "services.stepfunctions:_execute_choice": "468955fcd4a4",
    "services.stepfunctions:_execute_map": "18ad39652912",
    "services.stepfunctions:_execute_parallel": "2166e1f53e5f",
    "services.stepfunctions:_execute_pass": "b1dff47048bc",
    "services.stepfunctions:_execute_task": "53c818d247db",
    "services.stepfunctions:_execute_wait": "a1012679c72d",
    "services.stepfunctions:_fail_execution": "e6da895fa0b7",
    "services.stepfunctions:_find_matching_retrier": "cb494ae8503c",
    "services.stepfunctions:_invoke_resource": "a85d2be9a858",
    "services.stepfunctions:_invoke_resource_with_timeout": "faeed0bf70d5",
    "services.stepfunctions:_nested_execution_failure": "aa53a760707b",
    "services.stepfunctions:_parse_jsonpath_tokens": "0b9043314fbc",
    "services.stepfunctions:_resolve_params_obj": "d41c2e27dd1b",
    "services.stepfunctions:_resolve_path_or_ctx": "39841ce14aef",
    "services.stepfunctions:_resolve_state_machine_arn": "e054a309ee54",
    "services.stepfunctions:_run_execution": "996dff84e0e0",
    "services.stepfunctions:_run_sub_machine": "f8d844168b14",
    "services.stepfunctions:_with_retry_and_catch": "b351699db7b3",
}
"""`module:attribute` of the emulator -> its `digest`, for all that a seam replaces or relies on."""


def install() -> None:
    """Put every seam in place; called once, before the emulator serves.

    Raises:
        EmulatorDiffersError: the installed emulator is not the one that the seams were written against.
    """
    verify()
    for _, installer in _installers:
        installer()
    _wrap(
        "services.cloudformation.stacks:_runs_on_worker_thread",
        lambda original: lambda kind: kind in _on_threads or original(kind),
    )
    _wrap("core.iam_evaluator:evaluate", _noting_grants)


def verify() -> None:
    """Compare the installed emulator with the one that the seams were written against.

    Raises:
        EmulatorDiffersError: another version, or another source of an attribute that a seam replaces.
    """
    version = importlib.metadata.version("ministack")
    if version != EMULATOR_VERSION:
        raise EmulatorDiffersError(
            f"The emulator is ministack {version}, the seams were written against {EMULATOR_VERSION}: "
            f"install that version, or re-verify local/seams.py"
        )
    for address, expected in PATCHED.items():
        if digest(address) != expected:
            raise EmulatorDiffersError(
                f"The emulator differs from {EMULATOR_VERSION} at {address}: re-verify local/seams.py"
            )


def digest(address: str) -> str:
    """The digest of an attribute's source, or "missing"."""
    module_name, _, attribute = address.partition(":")
    try:
        value = getattr(_module(module_name), attribute)
    except (ImportError, AttributeError):
        return "missing"
    source = value if isinstance(value, str) else inspect.getsource(value)
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def differences() -> tuple[Difference, ...]:
    """Everything known that the emulator does otherwise than AWS, restored or not."""
    return (*(difference for difference, _ in _installers), *_LEFT)


def seams_table() -> str:
    """The differences as a Markdown table."""
    rows = [
        f"| {known.name} | {known.emulator} | {known.aws} | {known.state} | {known.cover} |"
        for known in sorted(differences(), key=lambda known: (known.state != "open", known.state, known.name))
    ]
    return "\n".join(["| what | the emulator | AWS | here | covered by |", "|---|---|---|---|---|", *rows, ""])


def athena_list() -> str:
    """What the local Athena does otherwise than AWS, by topic, as Markdown."""
    from local.athena.functions import missing

    functions = f"Functions: {', '.join(f'`{name}`' for name in sorted(missing.NAMES))} and all of geometry."
    topics = ATHENA | {"Refused by name: queries": (*ATHENA["Refused by name: queries"], functions)}
    return "\n\n".join(
        "\n".join([f"**{topic}**", "", *(f"- {line}" for line in lines)]) for topic, lines in topics.items()
    )


def _module(name: str) -> Any:
    return importlib.import_module(f"ministack.{name}")


def _wrap(address: str, make: Callable[[Any], Any]) -> None:
    """Replace an attribute by what `make` builds around the original."""
    module_name, _, attribute = address.partition(":")
    module = _module(module_name)
    setattr(module, attribute, make(getattr(module, attribute)))


def _later(work: Callable[[], object], name: str) -> None:
    """Run `work` on a thread of its own, in the caller's account and region; a failure goes to the server's log."""
    threading.Thread(target=contextvars.copy_context().run, args=(work,), name=name, daemon=True).start()


# Lambda

_WORKER_PROLOGUE = """
import json as _json, os as _os, sys as _sys, threading as _threading, time as _time, traceback as _traceback

def _end_with_emulator(emulator):
    while _os.getppid() == emulator:
        _time.sleep(1)
    _os._exit(1)

_threading.Thread(target=_end_with_emulator, args=(_os.getppid(),), daemon=True).start()
# The project's editable install would lend a function what its deployed code lacks.
_sys.meta_path[:] = [f for f in _sys.meta_path if not getattr(f, "__module__", "").startswith("__editable__")]

def _failure(error):
    frames = _traceback.format_tb(error.__traceback__)[1:]
    return _json.dumps({"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": frames})

def _init_failure(error, module, handler):
    failure = _json.loads(_failure(error))
    if isinstance(error, ImportError):
        failure["errorType"] = "Runtime.ImportModuleError"
        failure["errorMessage"] = f"Unable to import module '{module}': {error}"
    elif isinstance(error, SyntaxError):
        failure["errorType"] = "Runtime.UserCodeSyntaxError"
    elif isinstance(error, AttributeError) and module in _sys.modules and not hasattr(_sys.modules[module], handler):
        failure["errorType"] = "Runtime.HandlerNotFound"
        failure["errorMessage"] = f"Handler '{handler}' missing on module '{module}'"
    return _json.dumps(failure)

"""


@_seam(
    "Lambda: errors",
    emulator="every exception is `Runtime.HandlerError` without a stack trace, an exit too",
    aws="the exception's class name with message and stack trace; `Runtime.ExitError`, `Runtime.ImportModuleError`",
)
def _lambda_errors() -> None:
    def script(original: str) -> str:
        return _WORKER_PROLOGUE + original.replace('"error": str(e), "trace"', '"error": _failure(e), "trace"').replace(
            '"error": str(e)}', '"error": _init_failure(e, module_name, handler_name)}'
        )

    def execute(original: Any) -> Any:
        def run(func: Any, event: Any, request_id: str) -> Any:
            result = original(func, event, request_id)
            if result.get("error") and "errorMessage" in (result.get("body") or {}):
                result["body"] = _failure_of(result["body"], request_id)
            return result

        return run

    _wrap("core.lambda_runtime:_PYTHON_WORKER_SCRIPT", script)
    _wrap("services.lambda_svc:_execute_function_warm", execute)


def _failure_of(body: dict[str, Any], request_id: str) -> dict[str, Any]:
    message = str(body["errorMessage"]).removeprefix("Worker init failed: ")
    if message.startswith("Worker process "):
        error = f"RequestId: {request_id} Error: Runtime exited with error"
        return {"errorMessage": error, "errorType": "Runtime.ExitError"}
    try:
        failure = json.loads(message)
    except ValueError:
        return body
    if isinstance(failure, dict) and "errorType" in failure:
        return failure | {"requestId": request_id}
    return body


@_seam(
    "Lambda: embedded metrics",
    emulator="metrics printed in the embedded metric format are only log lines",
    aws="CloudWatch extracts them",
)
def _embedded_metrics() -> None:
    def execute(original: Any) -> Any:
        def run(func: Any, event: Any, request_id: str) -> Any:
            result = original(func, event, request_id)
            for line in result.get("log", "").splitlines():
                if '"_aws"' in line:
                    for metric in _metrics_of(line):
                        _module("services.cloudwatch").record_metric(*metric)
            return result

        return run

    _wrap("services.lambda_svc:_execute_function_warm", execute)


def _metrics_of(line: str) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    """Namespace, name, value, unit and dimensions of every metric in one line of the embedded metric format."""
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
    except (ValueError, TypeError, KeyError):
        return
    for directive in directives:
        for names in directive.get("Dimensions", [[]]):
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for value in values if isinstance(values, list) else [values]:
                    yield directive["Namespace"], metric["Name"], value, metric.get("Unit", "None"), dimensions


@_seam(
    "Lambda: concurrency of versions",
    emulator="reserved concurrency limits only calls that name no version",
    aws="a function's versions and aliases share it",
)
def _concurrency_of_versions() -> None:
    def reserved(original: Any) -> Any:
        def run(record: Any, configuration: dict[str, Any]) -> int | None:
            own: int | None = original(record, configuration)
            function = _module("services.lambda_svc")._functions.get(configuration.get("FunctionName"))
            return own if own is not None or function is None else original(function, configuration)

        return run

    _wrap("services.lambda_svc:_reserved_concurrency", reserved)


# Step Functions


def _fail(error: str, cause: str) -> Exception:
    failure: Exception = _module("services.stepfunctions")._ExecutionError(error, cause)
    return failure


@_seam(
    "Step Functions: Lambda throttling",
    emulator="`Lambda.Unknown`",
    aws="`Lambda.TooManyRequestsException`",
)
def _throttling() -> None:
    def call(original: Any) -> Any:
        def run(reference: Any, event: Any) -> Any:
            try:
                return original(reference, event)
            except _module("services.stepfunctions")._ExecutionError as error:
                if error.error == "Lambda.Unknown" and "TooManyRequestsException" in error.cause:
                    raise _fail("Lambda.TooManyRequestsException", error.cause) from error
                raise

        return run

    _wrap("services.stepfunctions:_call_lambda", call)


@_seam(
    "Step Functions: retry delays",
    emulator="`MaxDelaySeconds` and `JitterStrategy` are ignored",
    aws="delays are capped by `MaxDelaySeconds` and drawn at random with `FULL` jitter",
)
def _retry_delays() -> None:
    def find(original: Any) -> Any:
        def run(retriers: Any, error: str, counts: dict[int, int]) -> Any:
            retrier, index = original(retriers, error, counts)
            if retrier is None:
                return retrier, index
            delay = _delay(retrier, counts.get(index, 0))
            return {**retrier, "IntervalSeconds": delay, "BackoffRate": 1}, index

        return run

    _wrap("services.stepfunctions:_find_matching_retrier", find)


def _delay(retrier: dict[str, Any], retries: int) -> float:
    """Seconds before the next try, after so many retries."""
    delay = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** retries
    delay = min(delay, retrier.get("MaxDelaySeconds", delay))
    if retrier.get("JitterStrategy") == "FULL":
        return random.uniform(0, delay)  # noqa: S311 (nothing secret)
    return float(delay)


@_seam(
    "Step Functions: errors that nothing catches",
    emulator="`States.ALL` and `States.TaskFailed` match every error",
    aws="`States.Runtime` and `States.DataLimitExceeded` end the execution, whatever is caught",
)
def _terminal_errors() -> None:
    def matches(original: Any) -> Any:
        def run(equals: list[str], error: str) -> bool:
            if error in {"States.Runtime", "States.DataLimitExceeded"}:
                return False
            return bool(original(equals, error))

        return run

    _wrap("services.stepfunctions:_error_matches", matches)


@_seam(
    "Step Functions: executions that fail within others",
    emulator="`states:startExecution.sync:2` fails with the error of the execution that it started",
    aws="with `States.TaskFailed`; the cause is that execution, described in JSON",
)
def _failed_executions() -> None:
    def failure(_original: Any) -> Any:
        def run(described: dict[str, Any]) -> tuple[str, str]:
            told = {f"{name[0].upper()}{name[1:]}": value for name, value in described.items() if name != "output"}
            return "States.TaskFailed", json.dumps(told, separators=(",", ":"))

        return run

    _wrap("services.stepfunctions:_nested_execution_failure", failure)


@_seam(
    "Step Functions: payload limit",
    emulator="inputs and outputs of any size pass",
    aws="256 KiB, then `States.DataLimitExceeded`",
)
def _payload_limit() -> None:
    def check(payload: Any, what: str) -> None:
        if len(json.dumps(payload).encode()) > PAYLOAD_BYTES:
            raise _fail("States.DataLimitExceeded", f"The {what} exceeds the maximum number of bytes service limit.")

    def invoke(original: Any) -> Any:
        def run(resource: str, data: Any) -> Any:
            check(data, f"input of {resource}")
            result = original(resource, data)
            check(result, f"result of {resource}")
            return result

        return run

    def output(original: Any) -> Any:
        def run(state: Any, data: Any, ctx: Any = None) -> Any:
            result = original(state, data, ctx)
            check(result, f"output of the {state.get('Type')} state")
            return result

        return run

    _wrap("services.stepfunctions:_invoke_resource", invoke)
    _wrap("services.stepfunctions:_apply_output_path", output)


@_seam(
    "Step Functions: missing paths",
    emulator='`"a.$": "$.missing"`, InputPath and OutputPath give null',
    aws="`States.Runtime`: the JSONPath could not be found in the input",
)
def _missing_paths() -> None:
    def resolve(original: Any) -> Any:
        def run(template: Any, data: Any, ctx: Any = None) -> Any:
            if isinstance(template, dict):
                for field, path in template.items():
                    if field.endswith(".$") and isinstance(path, str):
                        _require(path, field, data)
            return original(template, data, ctx)

        return run

    def apply(field: str) -> Callable[[Any], Any]:
        def wrapper(original: Any) -> Any:
            def run(state: dict[str, Any], data: Any, ctx: Any = None) -> Any:
                _require(state.get(field) or "$", field, data)
                return original(state, data, ctx)

            return run

        return wrapper

    _wrap("services.stepfunctions:_resolve_params_obj", resolve)
    _wrap("services.stepfunctions:_apply_input_path", apply("InputPath"))
    _wrap("services.stepfunctions:_apply_output_path", apply("OutputPath"))


def _require(path: str, field: str, data: Any) -> None:
    if _is_missing(path, data):
        raise _fail(
            "States.Runtime",
            f"The JSONPath '{path}' specified for the field '{field}' could not be found in the input "
            f"'{json.dumps(data)[:500]}'",
        )


def _is_missing(path: str, data: Any) -> bool:
    """Whether a path of fields and indexes leads nowhere; a path to a null, or with a wildcard, leads somewhere."""
    if path.startswith(("$$", "States.")) or not path.startswith("$."):
        return False
    tokens = _module("services.stepfunctions")._parse_jsonpath_tokens(path)
    for kind, key in tokens or ():
        if kind == "field":
            if not isinstance(data, dict) or key not in data:
                return True
        elif kind == "index":
            if not isinstance(data, list) or key >= len(data):
                return True
        else:
            return False
        data = data[key]
    return False


@_seam(
    "Step Functions: choices",
    emulator="a missing variable is a false comparison; `IsPresent` is false for a null",
    aws="`States.Runtime`: the path references an invalid value; a null is present",
)
def _choices() -> None:
    def evaluate(original: Any) -> Any:
        def run(rule: dict[str, Any], data: Any, ctx: Any = None) -> bool:
            variable = rule.get("Variable", "$")
            missing = _is_missing(variable, data)
            if "IsPresent" in rule:
                return bool(missing != rule["IsPresent"])
            if missing:
                raise _fail(
                    "States.Runtime",
                    f"Invalid path '{variable}': The choice state's condition path references an invalid value.",
                )
            return bool(original(rule, data, ctx))

        return run

    _wrap("services.stepfunctions:_evaluate_rule", evaluate)


@_seam(
    "Step Functions: concurrency of a Map",
    emulator="`MaxConcurrencyPath` is ignored, every item runs at once",
    aws="as many as the input says",
)
def _map_concurrency() -> None:
    def execute(original: Any) -> Any:
        def run(state: dict[str, Any], data: Any, execution: Any, ctx: Any) -> Any:
            if path := state.get("MaxConcurrencyPath"):
                states = _module("services.stepfunctions")
                given = states._apply_input_path(state, data, ctx)
                _require(path, "MaxConcurrencyPath", given)
                state = {**state, "MaxConcurrency": states._resolve_path_or_ctx(path, given, ctx)}
            return original(state, data, execution, ctx)

        return run

    _wrap("services.stepfunctions:_execute_map", execute)


@_seam(
    "Step Functions: timeout of the state machine",
    emulator="the top-level `TimeoutSeconds` is ignored",
    aws="the execution ends TIMED_OUT",
)
def _machine_timeout() -> None:
    def execute(original: Any) -> Any:
        def run(arn: str) -> None:
            states = _module("services.stepfunctions")
            execution = states._executions.get(arn)
            seconds = _machine_of(execution)[1].get("TimeoutSeconds") if execution else None
            if seconds is None:
                original(arn)
                return
            timer = threading.Timer(seconds, contextvars.copy_context().run, args=(_time_out, execution))
            timer.daemon = True
            timer.start()
            try:
                original(arn)
            finally:
                timer.cancel()

        return run

    def fail(original: Any) -> Any:
        def run(execution: dict[str, Any], error: str, cause: str) -> None:
            # A task that ends after the execution timed out or was aborted changes nothing any more.
            if execution["status"] == "RUNNING":
                original(execution, error, cause)

        return run

    _wrap("services.stepfunctions:_run_execution", execute)
    _wrap("services.stepfunctions:_fail_execution", fail)


def _machine_of(execution: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The state machine of an execution and its definition; empty when they are gone or unreadable."""
    machines = _module("services.stepfunctions")._state_machines
    machine = machines.get(execution["stateMachineArn"]) or {}
    try:
        return machine, json.loads(machine.get("definition", "{}"))
    except ValueError:
        return machine, {}


def _time_out(execution: dict[str, Any]) -> None:
    if execution["status"] != "RUNNING":
        return
    states = _module("services.stepfunctions")
    execution["status"] = "TIMED_OUT"
    execution["stopDate"] = states.now_iso()
    states._add_event(execution, "ExecutionTimedOut", {"executionTimedOutEventDetails": {}})
    states._emit_execution_status_event(execution)


@_seam(
    "Step Functions: history of branches",
    emulator="states inside Parallel and Map leave no StateEntered and StateExited; branches share one `$$.State`",
    aws="every state is in the history, each branch has a context of its own",
)
def _branch_history() -> None:
    lock = threading.Lock()
    branch: contextvars.ContextVar[tuple[Any, Any] | None] = contextvars.ContextVar("branch", default=None)

    def add(original: Any) -> Any:
        def run(execution: Any, kind: str, details: Any = None) -> Any:
            with lock:  # an event's id is its place, and branches run at the same time
                return original(execution, kind, details)

        return run

    def walk(original: Any) -> Any:
        def run(states: Any, start_at: str, data: Any, execution: Any, ctx: Any) -> Any:
            own = dict(ctx)
            outer = branch.set((own, execution))
            try:
                return original(states, start_at, data, execution, own)
            finally:
                branch.reset(outer)

        return run

    def execute(original: Any) -> Any:
        def run(state: dict[str, Any], data: Any, *rest: Any) -> Any:
            within, ctx = branch.get(), rest[-1]
            if within is None or within[0] is not ctx:  # a state of the execution itself, which is recorded already
                return original(state, data, *rest)
            execution, kind, name = within[1], state["Type"], ctx["State"]["Name"]
            record = _module("services.stepfunctions")._add_event
            entered = {"name": name, "input": json.dumps(data)}
            record(execution, f"{kind}StateEntered", {"stateEnteredEventDetails": entered})
            output, following = original(state, data, *rest)
            exited = {"name": name, "output": json.dumps(output)}
            record(execution, f"{kind}StateExited", {"stateExitedEventDetails": exited})
            return output, following

        return run

    _wrap("services.stepfunctions:_add_event", add)
    _wrap("services.stepfunctions:_run_sub_machine", walk)
    for kind in ("choice", "map", "parallel", "pass", "task", "wait"):
        _wrap(f"services.stepfunctions:_execute_{kind}", execute)


@_seam(
    "Step Functions: metrics",
    emulator="no metrics in AWS/States",
    aws="ExecutionsStarted, -Succeeded, -Failed, -TimedOut, -Aborted and ExecutionTime per state machine",
)
def _execution_metrics() -> None:
    names = {
        "RUNNING": "ExecutionsStarted",
        "SUCCEEDED": "ExecutionsSucceeded",
        "FAILED": "ExecutionsFailed",
        "TIMED_OUT": "ExecutionsTimedOut",
        "ABORTED": "ExecutionsAborted",
    }

    def emit(original: Any) -> Any:
        def run(execution: dict[str, Any]) -> None:
            original(execution)
            record = _module("services.cloudwatch").record_metric
            dimensions = {"StateMachineArn": execution["stateMachineArn"]}
            record("AWS/States", names[execution["status"]], 1, "Count", dimensions)
            if execution["stopDate"]:
                taken = _instant(execution["stopDate"]) - _instant(execution["startDate"])
                record("AWS/States", "ExecutionTime", taken.total_seconds() * 1000, "Milliseconds", dimensions)

        return run

    _wrap("services.stepfunctions:_emit_execution_status_event", emit)


@_seam(
    "Step Functions: execution logs",
    emulator="the configured log group stays empty",
    aws="the history is logged at the configured level (here: written when the execution ends)",
)
def _execution_logs() -> None:
    def emit(original: Any) -> Any:
        def run(execution: dict[str, Any]) -> None:
            original(execution)
            if execution["status"] != "RUNNING":
                machine, _ = _machine_of(execution)
                _later(lambda: _write_history(execution, machine), "execution log")

        return run

    _wrap("services.stepfunctions:_emit_execution_status_event", emit)


_LOGGED = {
    "ALL": ("",),
    "ERROR": ("Failed", "TimedOut", "Aborted"),
    "FATAL": ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"),
}
"""Log level -> endings of the event types that it logs."""


def _write_history(execution: dict[str, Any], machine: dict[str, Any]) -> None:
    configuration = machine.get("loggingConfiguration") or {}
    endings = _LOGGED.get(configuration.get("level", "OFF"))
    destinations = configuration.get("destinations") or ()
    if not endings or not destinations:
        return
    with_data = configuration.get("includeExecutionData", False)
    lines = [
        {
            "timestamp": int(_instant(event["timestamp"]).timestamp() * 1000),
            "message": json.dumps(_log_line(event, execution["executionArn"], with_data=with_data)),
        }
        for event in execution["events"]
        if event["type"].endswith(endings)
    ]
    if not lines:
        return
    group = destinations[0]["cloudWatchLogsLogGroup"]["logGroupArn"].split(":log-group:")[1].removesuffix(":*")
    stream = f"states/{machine['name']}/{execution['name']}"
    logs = resources.client("logs")
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=lines)


def _log_line(event: dict[str, Any], arn: str, *, with_data: bool) -> dict[str, Any]:
    found = (value for key, value in event.items() if key.endswith("EventDetails"))
    details = dict(next(found, {}))
    if not with_data:
        details = {key: value for key, value in details.items() if key not in {"input", "output"}}
    return {
        "id": str(event["id"]),
        "type": event["type"],
        "details": details,
        "event_timestamp": str(int(_instant(event["timestamp"]).timestamp() * 1000)),
        "execution_arn": arn,
    }


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


# Glue


@_seam(
    "Glue: partitions",
    emulator="no BatchDeletePartition and no UpdatePartition",
    aws="they exist",
)
def _partition_actions() -> None:
    actions = {"BatchDeletePartition": _delete_partitions, "UpdatePartition": _update_partition}

    def handle(original: Any) -> Any:
        def run(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
            action = actions.get(headers.get("x-amz-target", "").rpartition(".")[2])
            return action(json.loads(body)) if action else original(method, path, headers, body, query)

        return run

    _wrap("services.glue:_handle_request_sync", handle)


@_seam(
    "Glue: owners of tables",
    emulator="a table without an owner is shown with an empty one, which UpdateTable refuses to take back",
    aws="the member is absent",
)
def _no_empty_owners() -> None:
    def create(original: Any) -> Any:
        def run(request: dict[str, Any]) -> Any:
            created = original(request)
            table = _module("services.glue")._tables.get(
                f"{request.get('DatabaseName')}/{request['TableInput']['Name']}"
            )
            if table and not table.get("Owner"):
                table.pop("Owner", None)
            return created

        return run

    _wrap("services.glue:_create_table", create)


def _delete_partitions(request: dict[str, Any]) -> Any:
    table = {name: request[name] for name in ("CatalogId", "DatabaseName", "TableName") if name in request}
    errors = []
    for values in (partition["Values"] for partition in request["PartitionsToDelete"]):
        one = table | {"PartitionValues": values}
        status, _, body = _module("services.glue")._get_partition(one)
        if status == 200:  # noqa: PLR2004 (HTTP's OK)
            _module("services.glue")._delete_partition(one)
        else:
            refused = json.loads(body)
            detail = {"ErrorCode": refused["__type"], "ErrorMessage": refused["message"]}
            errors.append({"PartitionValues": values, "ErrorDetail": detail})
    return _module("core.responses").json_response({"Errors": errors} if errors else {})


def _update_partition(request: dict[str, Any]) -> Any:
    entry = {name: request[name] for name in ("PartitionValueList", "PartitionInput")}
    updated = _module("services.glue")._batch_update_partition(request | {"Entries": [entry]})
    for error in json.loads(updated[2]).get("Errors") or ():
        detail = error["ErrorDetail"]
        return _module("core.responses").error_response_json(detail["ErrorCode"], detail["ErrorMessage"], 400)
    return _module("core.responses").json_response({}) if updated[0] == 200 else updated  # noqa: PLR2004 (HTTP's OK)


# Athena

ORPHANS_TAG = "nightlake:orphans"
"""A workgroup's tag: with `true`, a CTAS, INSERT or UNLOAD that fails leaves the files it had written, as on AWS."""
_REQUESTS_AT_ONCE = 32
_POLL_SECONDS = 0.2


@cache
def _athena() -> "Athena":
    """Our Athena over the emulator's Glue, S3 and records, as their root user."""
    from local.athena.catalog import GlueCatalog
    from local.athena.engine import Access, Engine
    from local.athena.service import Athena, Stores
    from local.athena.storage import S3

    emulated = _module("services.athena")
    bundle = os.environ.get("AWS_CA_BUNDLE")
    access = Access(
        url=os.environ["AWS_ENDPOINT_URL"],
        region=os.environ["MINISTACK_REGION"],
        ca_bundle=Path(bundle) if bundle else None,
    )
    return Athena(
        Stores(emulated._executions, emulated._workgroups, emulated._prepared_statements),
        cache(lambda: Engine(GlueCatalog(resources.client("glue")), S3(resources.client("s3")), access=access)),
        lambda: resources.client("s3"),
        _publish_query_metrics,
        lambda workgroup: emulated._tags.get(emulated._arn_workgroup(workgroup), {}).get(ORPHANS_TAG) == "true",
    )


def _call_athena(action: str, request: dict[str, Any]) -> dict[str, Any]:
    emulated = _module("services.athena")
    emulated._ensure_default_workgroup()
    emulated._ensure_default_data_catalog()
    return _athena().call(action, request)


@_seam(
    "Athena: statements, results and states",
    emulator="plain SELECTs on DuckDB as it is; CTAS, INSERT, UNLOAD and views are lost, partitions' locations ignored",
    aws="Trino; here our own engine (local/athena), which refuses what it cannot answer faithfully",
)
def _athena_queries() -> None:
    from local.athena.service import RequestError

    # Threads of its own: a request waits for the emulator's S3 and Glue, which need the loop and its usual threads.
    threads = ThreadPoolExecutor(_REQUESTS_AT_ONCE, thread_name_prefix="athena-request")

    def answer(action: str, body: Any) -> tuple[int, dict[str, str], bytes]:
        respond = _module("core.responses")
        try:
            request = json.loads(body) if body else {}
        except ValueError:
            refused: tuple[int, dict[str, str], bytes] = respond.error_response_json(
                "SerializationException", "Invalid JSON", 400
            )
            return refused
        try:
            given: tuple[int, dict[str, str], bytes] = respond.json_response(_call_athena(action, request))
        except RequestError as error:
            return respond.error_response_json(error.code, str(error), 400, extra=error.extra)  # type: ignore[no-any-return]
        return given

    def handle(original: Any) -> Any:
        async def run(method: str, path: str, headers: dict[str, str], body: Any, query: Any) -> Any:
            action = headers.get("x-amz-target", "").rpartition(".")[2]
            if action not in _athena().actions:
                return await original(method, path, headers, body, query)
            scope = contextvars.copy_context()
            return await asyncio.get_running_loop().run_in_executor(threads, scope.run, answer, action, body)

        return run

    _wrap("services.athena:handle_request", handle)


@_seam(
    "IAM: Athena's queries",
    emulator="actions on a query, or without a workgroup, are checked against the resource `*`",
    aws="against the query's workgroup, `primary` where none is named",
)
def _athena_resources() -> None:
    def extract(original: Any) -> Any:
        def run(service: str, *request: Any, **named: Any) -> str:
            arn: str = original(service, *request, **named)
            if service != "athena" or arn != "*":
                return arn
            called = inspect.signature(original).bind(service, *request, **named).arguments
            account, region = called["account_id"], called["region"]
            workgroup = _workgroup_of(called["headers"], called["body"], account, region)
            return f"arn:aws:athena:{region}:{account}:workgroup/{workgroup}" if workgroup else arn

        return run

    _wrap("core.iam_actions:extract_resource_arn", extract)


def _workgroup_of(headers: dict[str, str], body: Any, account: str, region: str) -> str | None:
    """The workgroup that a request without one is about, or None where it is about none."""
    try:
        request = json.loads(body) if body else {}
    except ValueError:
        return None
    queries = request.get("QueryExecutionIds") or [request.get("QueryExecutionId")]
    record = _module("services.athena")._executions.get_scoped(account, region, queries[0])
    if record:
        return str(record["WorkGroup"])
    action = headers.get("x-amz-target", "").rpartition(".")[2]
    return "primary" if action in {"StartQueryExecution", "ListQueryExecutions"} else None


@_seam(
    "IAM: objects that do not exist",
    emulator="404 to everybody who may read the key",
    aws="404 to those who may list the bucket, 403 to others",
)
def _missing_objects() -> None:
    def handle(original: Any) -> Any:
        async def run(method: str, path: str, headers: dict[str, str], body: Any, query: Any, **named: Any) -> Any:
            answer = await original(method, path, headers, body, query, **named)
            bucket, _, key = path.strip("/").partition("/")
            if key and method in {"GET", "HEAD"} and answer[0] == HTTPStatus.NOT_FOUND:
                caller = _module("core.router").extract_access_key_id(headers, query)
                listed = f"arn:aws:s3:::{bucket}"
                enforce = _module("core.iam_evaluator").enforce
                if caller and _module("app").AUTH and enforce(caller, "s3:ListBucket", "s3", "", resource_arn=listed):
                    return _module("services.s3")._error("AccessDenied", "Access Denied", 403, path)
            return answer

        return run

    _wrap("services.s3:handle_request", handle)


def _noting_grants(original: Any) -> Any:
    """The emulator's evaluation of policies, which also writes down each grant that alone allowed a call of a role."""
    seen: set[tuple[str, str, str]] = set()
    file = Path(os.environ["NIGHTLAKE_GRANTS_USED"])

    def run(call: Any, policies: list[list[Any]], *limits: Any) -> Any:
        result = original(call, policies, *limits)
        if result.decision == "Allow" and call.principal_type == "AssumedRole":
            role = call.principal_arn.split("/")[1]
            first_match = _module("core.iam_evaluator")._first_match
            single = (
                dataclasses.replace(statement, actions=[action], resources=[resource])
                for policy in policies
                for statement in policy
                for action in statement.actions
                for resource in statement.resources
            )
            grants = [grant for grant in single if first_match(call, [grant], "Allow")]
            if len(grants) == 1:
                used = (role, grants[0].actions[0], grants[0].resources[0])
                if used not in seen:
                    seen.add(used)
                    with file.open("a") as lines:
                        lines.write(json.dumps(dict(zip(("role", "action", "resource"), used, strict=True))) + "\n")
        return result

    return run


def _publish_query_metrics(record: dict[str, Any]) -> None:
    """What a workgroup that publishes metrics shows: https://docs.aws.amazon.com/athena/latest/ug/query-metrics-viewing.html."""
    configuration = _module("services.athena")._workgroups[record["WorkGroup"]].get("Configuration") or {}
    if not configuration.get("PublishCloudWatchMetricsEnabled"):
        return
    dimensions = {
        "WorkGroup": record["WorkGroup"],
        "QueryState": record["Status"]["State"],
        "QueryType": record["StatementType"],
    }
    statistics = record["Statistics"]
    values = {
        "ProcessedBytes": (statistics["DataScannedInBytes"], "Bytes"),
        "TotalExecutionTime": (statistics["TotalExecutionTimeInMillis"], "Milliseconds"),
        "QueryQueueTime": (statistics["QueryQueueTimeInMillis"], "Milliseconds"),
        "QueryPlanningTime": (statistics["QueryPlanningTimeInMillis"], "Milliseconds"),
        "EngineExecutionTime": (statistics["EngineExecutionTimeInMillis"], "Milliseconds"),
        "ServiceProcessingTime": (statistics["ServiceProcessingTimeInMillis"], "Milliseconds"),
    }
    for name, (value, unit) in values.items():
        _module("services.cloudwatch").record_metric("AWS/Athena", name, value, unit, dimensions)


class _Task:
    """A task at work: the execution that it belongs to, and whether its state gave it up."""

    def __init__(self, execution: dict[str, Any]) -> None:
        self.execution = execution
        self.timed_out = False

    @property
    def unwanted(self) -> bool:
        return self.timed_out or self.execution["status"] != "RUNNING"


_task: contextvars.ContextVar[_Task | None] = contextvars.ContextVar("task", default=None)
_ATHENA_RESOURCE = "arn:aws:states:::athena:"
_ATHENA_TASKS = ("startQueryExecution", "stopQueryExecution", "getQueryExecution", "getQueryResults")


@_seam(
    "Step Functions: Athena",
    emulator="`arn:aws:states:::athena:startQueryExecution.sync` and its siblings are refused",
    aws="they start, await, stop and read queries; an aborted or timed out `.sync` task stops its query",
)
def _athena_tasks() -> None:
    def execute(original: Any) -> Any:
        def run(state: Any, data: Any, execution: dict[str, Any], ctx: Any) -> Any:
            token = _task.set(_Task(execution))
            try:
                return original(state, data, execution, ctx)
            finally:
                _task.reset(token)

        return run

    def limited(original: Any) -> Any:
        def run(resource: str, data: Any, seconds: float) -> Any:
            task = _task.get()
            attempt = _Task(task.execution) if task else None
            _task.set(attempt)
            try:
                return original(resource, data, seconds)
            except _module("services.stepfunctions")._ExecutionError as error:
                if attempt and error.error == "States.Timeout":
                    attempt.timed_out = True
                raise

        return run

    def invoke(original: Any) -> Any:
        def run(resource: str, data: Any) -> Any:
            if not resource.startswith(_ATHENA_RESOURCE):
                return original(resource, data)
            return _run_athena_task(resource, data)

        return run

    _wrap("services.stepfunctions:_execute_task", execute)
    _wrap("services.stepfunctions:_invoke_resource_with_timeout", limited)
    _wrap("services.stepfunctions:_invoke_resource", invoke)


def _run_athena_task(resource: str, data: dict[str, Any]) -> Any:
    from local.athena.service import RequestError

    action, _, pattern = resource.removeprefix(_ATHENA_RESOURCE).partition(".")
    if action not in _ATHENA_TASKS or (pattern and (action, pattern) != ("startQueryExecution", "sync")):
        raise _fail("States.Runtime", f"The resource provided {resource} is not recognized.")
    try:
        answer = _call_athena(action[0].upper() + action[1:], data)
        if pattern:
            answer = _await_query(answer["QueryExecutionId"])
    except RequestError as error:
        raise _fail(f"Athena.{error.code}", str(error)) from error
    return _in_milliseconds(answer)


def _await_query(identifier: str) -> dict[str, Any]:
    """The query's execution once it succeeded.

    A query that fails or is cancelled fails its task with `States.TaskFailed` and its execution as the cause.
    """
    request, task = {"QueryExecutionId": identifier}, _task.get()
    while True:
        answer = _call_athena("GetQueryExecution", request)
        state = answer["QueryExecution"]["Status"]["State"]
        if state == "SUCCEEDED":
            return answer
        if state in {"FAILED", "CANCELLED"}:
            raise _fail("States.TaskFailed", json.dumps(_in_milliseconds(answer["QueryExecution"])))
        if task and task.unwanted:
            _call_athena("StopQueryExecution", request)
        time.sleep(_POLL_SECONDS)


def _in_milliseconds(value: Any) -> Any:
    """Times as Step Functions passes them on: milliseconds of the epoch where the API has seconds."""
    if isinstance(value, dict):
        return {
            key: round(item * 1000) if key.endswith("DateTime") else _in_milliseconds(item)
            for key, item in value.items()
        }
    return [_in_milliseconds(item) for item in value] if isinstance(value, list) else value


# EventBridge and Scheduler


@_seam(
    "EventBridge: dead-letter queues",
    emulator="an event for a target that is gone is only a warning in its log",
    aws="it goes to the target's dead-letter queue with the rule, the target and the error as attributes",
)
def _dead_letters() -> None:
    def invoke(original: Any) -> Any:
        def run(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
            queue = (target.get("DeadLetterConfig") or {}).get("Arn")
            if queue and not _is_there(target["Arn"]):
                body = json.dumps(_module("services.eventbridge")._pattern_event_view(event).event_with_detail())
                _later(lambda: _send_dead_letter(queue, body, target["Arn"], rule), "dead letter")
                return
            original(target, event, rule, view)

        return run

    _wrap("services.eventbridge:_invoke_target", invoke)


def _is_there(arn: str) -> bool:
    """Whether a target exists; of services that the emulator cannot look up, it says yes."""
    service = arn.split(":")[2]
    if service == "lambda":
        return bool(_module("services.lambda_svc")._get_func_record_for_ref(arn)[0])
    if service == "states":
        return _module("services.stepfunctions")._resolve_state_machine_arn(arn) is not None
    if service == "sqs":
        return bool(_module("services.sqs")._queue_by_arn(arn))
    if service == "sns":
        return arn in _module("services.sns")._topics
    return True


def _send_dead_letter(queue: str, body: str, target: str, rule: dict[str, Any]) -> None:
    source = "SCHEDULE_ARN" if "ScheduleExpressionTimezone" in rule else "RULE_ARN"
    attributes = {
        source: rule["Arn"],
        "TARGET_ARN": target,
        "ERROR_CODE": "NO_RESOURCE",
        "ERROR_MESSAGE": f"The target {target} does not exist.",
    }
    sqs = resources.client("sqs")
    sqs.send_message(
        QueueUrl=sqs.get_queue_url(QueueName=queue.split(":")[5])["QueueUrl"],
        MessageBody=body,
        MessageAttributes={name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()},
    )


@_seam(
    "Scheduler: context attributes",
    emulator="`<aws.scheduler.scheduled-time>` and its siblings arrive as they are written",
    aws="they are replaced by their values",
)
def _schedule_context() -> None:
    def invoke(original: Any) -> Any:
        def run(target: dict[str, Any], event: dict[str, Any], rule: dict[str, Any], view: Any = None) -> None:
            if "ScheduleExpressionTimezone" in rule and "Input" in target:
                target = target | {"Input": _with_context(target["Input"], event, rule)}
            original(target, event, rule, view)

        return run

    _wrap("services.eventbridge:_invoke_target", invoke)


def _with_context(text: str, event: dict[str, Any], schedule: dict[str, Any]) -> str:
    moment = datetime.fromtimestamp(event["Time"], UTC)
    if schedule["ScheduleExpression"].startswith("cron"):
        # The emulator looks at the clock every few seconds; a cron expression names a minute.
        moment = moment.replace(second=0)
    values = {
        "scheduled-time": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "schedule-arn": schedule["Arn"],
        "execution-id": event["EventId"],
        "attempt-number": "1",
    }
    for name, value in values.items():
        text = text.replace(f"<aws.scheduler.{name}>", value)
    return text


@_seam(
    "Scheduler: time zones",
    emulator="`cron` and `at` expressions are evaluated in UTC",
    aws="in the schedule's time zone",
)
def _schedule_zones() -> None:
    def tick(original: Any) -> Any:
        def run() -> None:
            for schedule in _module("services.scheduler")._schedules._data.values():
                zone = ZoneInfo(schedule.get("ScheduleExpressionTimezone") or "UTC")
                schedule["ScheduleExpression"] = _in_zone(_ZonedText(schedule["ScheduleExpression"]), zone)
            original()

        return run

    _wrap("services.scheduler:_tick_schedules", tick)
    _wrap("services.scheduler:_at_time_epoch", _at_in_zone)
    _wrap("services.eventbridge:_parse_cron_fields", _cron_in_zone)
    _wrap("services.eventbridge:_cron_next_fire", _next_in_zone)


class _ZonedText(str):
    """A schedule's expression that knows its time zone, which the emulator's functions are not given."""

    zone: ZoneInfo


class _ZonedFields(tuple[Any, ...]):
    """The parsed fields of a zoned cron expression."""

    zone: ZoneInfo


_Zoned = TypeVar("_Zoned", _ZonedText, _ZonedFields)


def _in_zone(value: _Zoned, zone: ZoneInfo) -> _Zoned:
    value.zone = zone
    return value


def _cron_in_zone(original: Any) -> Any:
    def parse(expression: str) -> Any:
        fields = original(expression)
        return (
            _in_zone(_ZonedFields(fields), expression.zone) if fields and isinstance(expression, _ZonedText) else fields
        )

    return parse


def _next_in_zone(original: Any) -> Any:
    def following(fields: Any, after: datetime) -> Any:
        return original(fields, after.astimezone(fields.zone) if isinstance(fields, _ZonedFields) else after)

    return following


def _at_in_zone(original: Any) -> Any:
    def epoch(expression: str) -> float | None:
        seconds: float | None = original(expression)
        if seconds is None or not isinstance(expression, _ZonedText):
            return seconds
        return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=expression.zone).timestamp()

    return epoch


# API Gateway


@_seam(
    "API Gateway: the caller's key",
    emulator="`requestContext.identity` names no API key",
    aws="`apiKey` and `apiKeyId` of a method that requires one",
)
def _api_key_identity() -> None:
    def build(original: Any) -> Any:
        def run(*args: Any, **named: Any) -> Any:
            event = original(*args, **named)
            called = inspect.signature(original).bind(*args, **named).arguments
            gateway = _module("services.apigateway_v1")
            key = gateway._resolve_api_key(gateway._api_key_from_request(called["headers"]))
            method = called["resource"].get("resourceMethods", {}).get(called["method"]) or {}
            if key and method.get("apiKeyRequired"):
                event["requestContext"]["identity"] |= {"apiKey": key["value"], "apiKeyId": key["id"]}
            return event

        return run

    _wrap("services.apigateway_v1:_build_lambda_event_v1", build)


_NAMED_KEY = "usageIdentifierKey"
_usage_key: contextvars.ContextVar[str | None] = contextvars.ContextVar("usage_key", default=None)
"""What the authorizer of the request at hand named as the key that it counts for."""


@_seam(
    "API Gateway: keys that an authorizer names",
    emulator="`usageIdentifierKey` is dropped: the header `x-api-key` is the key, whoever is its source",
    aws="usage plans count for the key that the authorizer names",
)
def _keys_of_authorizers() -> None:
    gateway = _module("services.apigateway_v1")

    def invoke(original: Any) -> Any:
        async def run(*args: Any) -> Any:
            result = await original(*args)
            answer = result and result.get("body")
            answer = json.loads(answer) if isinstance(answer, str) and not result.get("error") else answer
            if isinstance(answer, dict) and "usageIdentifierKey" in answer:
                # The context is what the emulator keeps of an answer for as long as its time to live.
                named = {_NAMED_KEY: answer["usageIdentifierKey"]}
                return {**result, "body": {**answer, "context": {**(answer.get("context") or {}), **named}}}
            return result

        return run

    def authorize(original: Any) -> Any:
        async def run(api_id: str, *args: Any) -> Any:
            error, context = await original(api_id, *args)
            named = (context or {}).get(_NAMED_KEY, "")
            by_authorizer = gateway._rest_apis[api_id].get("apiKeySource") == "AUTHORIZER"
            _usage_key.set(named if by_authorizer else None)
            return error, context and {key: value for key, value in context.items() if key != _NAMED_KEY}

        return run

    def of_request(original: Any) -> Any:
        def run(headers: Any) -> Any:
            named = _usage_key.get()
            return original(headers) if named is None else named

        return run

    _wrap("services.apigateway_v1:_invoke_authorizer_lambda", invoke)
    _wrap("services.apigateway_v1:_authorize_request_v1", authorize)
    _wrap("services.apigateway_v1:_api_key_from_request", of_request)
    _also("AWS::ApiGateway::RestApi", resources.configure_rest_api)


@_seam(
    "API Gateway: failed functions",
    emulator="an exception's message is shown to the caller, a malformed answer is a 200",
    aws='502 `{"message": "Internal server error"}`',
)
def _proxy_failures() -> None:
    def shape(original: Any) -> Any:
        def run(result: dict[str, Any]) -> Any:
            body = result.get("body")
            malformed = not result.get("error") and not (isinstance(body, dict) and "statusCode" in body)
            response, error = original(result)
            return (None, "Internal server error") if error or malformed else (response, None)

        return run

    _wrap("services.apigateway_v1:_lambda_proxy_response", shape)


# S3


@_seam(
    "S3: ranges of versions",
    emulator="`Range` is ignored when a version is asked for",
    aws="the bytes of the range",
)
def _ranges_of_versions() -> None:
    def get(original: Any) -> Any:
        def run(bucket: str, key: str, headers: dict[str, str], query: Any = None) -> Any:
            if "range" not in headers or not query or "versionId" not in query:
                return original(bucket, key, headers, query)
            # A checksum of the whole would not be one of the range.
            whole = {name: value for name, value in headers.items() if name not in {"range", "x-amz-checksum-mode"}}
            status, answered, body = original(bucket, key, whole, query)
            if status != HTTPStatus.OK:
                return status, answered, body
            s3 = _module("services.s3")
            span = s3._parse_range(headers["range"], len(body))
            if span is None:
                refused = {"Content-Type": "application/xml", "Content-Range": f"bytes */{len(body)}"}
                reason = s3._xml_body(s3._range_error_xml(bucket, key))
                return HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE.value, refused, reason
            start, end = span
            told = {"Content-Length": str(end + 1 - start), "Content-Range": f"bytes {start}-{end}/{len(body)}"}
            return HTTPStatus.PARTIAL_CONTENT.value, answered | told, body[start : end + 1]

        return run

    _wrap("services.s3:_get_object", get)


@_seam(
    "S3: outages",
    emulator="every request is answered, and whole",
    aws="503 `SlowDown` at times, connections that break; here on command, by the file `outages.json` of the home",
)
def _s3_outages() -> None:
    outages = Outages(Path(os.environ["NIGHTLAKE_OUTAGES"]))

    def handle(original: Any) -> Any:
        async def run(method: str, path: str, *request: Any, **named: Any) -> Any:
            _, _, key = path.strip("/").partition("/")
            outage = outages.striking(method, key)
            if outage and outage.kind == "slow_down":
                busy = HTTPStatus.SERVICE_UNAVAILABLE.value
                return _module("services.s3")._error("SlowDown", "Please reduce your request rate.", busy, path)
            status, headers, body = await original(method, path, *request, **named)
            if outage and body:
                # What is announced and does not come ends the connection.
                return status, headers | {"Content-Length": str(len(body))}, body[: len(body) // 2]
            return status, headers, body

        return run

    _wrap("services.s3:handle_request", handle)


@_seam(
    "S3: encryption with the account's key",
    emulator="`aws:kms` without a key id is refused",
    aws="it means the managed key `aws/s3`",
)
def _managed_key() -> None:
    algorithm, key = "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id"

    def resolve(original: Any) -> Any:
        def run(headers: dict[str, str], bucket: str) -> Any:
            if headers.get(algorithm) == "aws:kms" and not headers.get(key):
                scope = _module("core.responses")
                arn = f"arn:aws:kms:{scope.get_region()}:{scope.get_account_id()}:alias/aws/s3"
                headers = {**headers, key: arn}
            return original(headers, bucket)

        return run

    _wrap("services.s3:_resolve_sse_write_headers", resolve)


# CloudFormation


def _handlers() -> dict[str, dict[str, Any]]:
    """Resource type -> the emulator's create, update and delete."""
    handlers: dict[str, dict[str, Any]] = _module("services.cloudformation.provisioners")._RESOURCE_HANDLERS
    return handlers


def _also(kind: str, configure: Callable[[str, Any, Any], None]) -> None:
    """After the emulator made or changed a resource, call `configure(physical id, old properties, new properties)`."""
    handler = _handlers()[kind]
    create, update = handler["create"], handler["update"]

    def make(logical_id: str, properties: Any, stack: str) -> Any:
        made = create(logical_id, properties, stack)
        try:
            configure(made[0], {}, properties)
        except BaseException:
            # The engine deletes only what was created without an error.
            handler["delete"](made[0], properties)
            raise
        return made

    def change(physical_id: str, old: Any, new: Any, *stack_and_id: str) -> Any:
        made = update(physical_id, old, new, *stack_and_id)
        configure(made[0], old if made[0] == physical_id else {}, new)
        return made

    handler |= {"create": make, "update": change}
    _on_threads.add(kind)


@_seam(
    "CloudFormation: S3 buckets",
    emulator="encryption, lifecycle, tags, logging and ownership are dropped; a bucket with objects is deleted",
    aws="they are applied; a bucket that is not empty fails the deletion",
)
def _bucket_properties() -> None:
    _also("AWS::S3::Bucket", resources.configure_bucket)
    handler = _handlers()["AWS::S3::Bucket"]
    delete = handler["delete"]

    def remove(physical_id: str, properties: Any) -> None:
        resources.delete_bucket(physical_id)
        delete(physical_id, properties)

    handler["delete"] = remove


@_seam(
    "CloudFormation: functions",
    emulator="reserved concurrency, dead-letter queue and network of the template are dropped",
    aws="they are applied",
)
def _function_properties() -> None:
    _also("AWS::Lambda::Function", resources.configure_function)


@_seam(
    "CloudFormation: schedules",
    emulator="time zone, start and end, key and completion of the template are dropped",
    aws="they are applied",
)
def _schedule_properties() -> None:
    _also("AWS::Scheduler::Schedule", resources.configure_schedule)


@_seam("CloudFormation: topics", emulator="the key of the template is dropped", aws="the topic is encrypted with it")
def _topic_properties() -> None:
    _also("AWS::SNS::Topic", resources.configure_topic)


@_seam(
    "CloudFormation: state machines' logging",
    emulator="stored in the template's spelling, which its own API cannot read",
    aws="the API shows it",
)
def _machine_logging() -> None:
    handler = _handlers()["AWS::StepFunctions::StateMachine"]
    create, update = handler["create"], handler["update"]

    def spelled(properties: Any) -> Any:
        name = "LoggingConfiguration"
        return {**properties, name: _lower_camel(properties[name])} if name in properties else properties

    def make(logical_id: str, properties: Any, stack: str) -> Any:
        return create(logical_id, spelled(properties), stack)

    def change(physical_id: str, old: Any, new: Any, stack: str, logical_id: str | None = None) -> Any:
        return update(physical_id, spelled(old), spelled(new), stack, logical_id)

    handler |= {"create": make, "update": change}


def _lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _lower_camel(item) for key, item in value.items()}
    return [_lower_camel(item) for item in value] if isinstance(value, list) else value


@_seam(
    "CloudFormation: updates of nested stacks",
    emulator="a resource that stays as it is loses its attributes, and what refers to them fails",
    aws="it keeps them",
)
def _nested_updates() -> None:
    stacks = _module("services.cloudformation")._stacks

    def keeping(update: Any) -> Any:
        def keep(*change: Any) -> Any:
            *_, stack, logical_id = change
            return update(*change, stacks[stack]["_resources"][logical_id].get("Attributes"))

        return keep

    # Of this module, which updates nested stacks alone: the other one gives the attributes itself.
    _wrap("services.cloudformation.provisioners:_update_resource", keeping)


@_seam(
    "CloudFormation: request validators",
    emulator="validators of the template do not exist, every request passes",
    aws="400 for a missing parameter or a body that breaks its model",
)
def _request_validators() -> None:
    handlers = _handlers()
    handlers |= resources.REPLACED_TYPES
    _on_threads.update(resources.REPLACED_TYPES)
    _also("AWS::ApiGateway::Method", resources.configure_method)


@_seam(
    "CloudFormation: missing types",
    emulator="a template with " + ", ".join(f"`{name}`" for name in resources.MISSING_TYPES) + " is refused",
    aws="they exist",
)
def _missing_types() -> None:
    handlers = _handlers()
    known = sorted(handlers.keys() & resources.MISSING_TYPES.keys())
    if known:
        raise EmulatorDiffersError(f"The emulator now knows {', '.join(known)}: re-verify local/resources.py")
    handlers |= resources.MISSING_TYPES
    _on_threads.update(resources.MISSING_TYPES)


@_seam(
    "CloudFormation: Ref of a secret",
    emulator="the secret's name",
    aws="its ARN, which policies and functions are given",
)
def _secret_reference() -> None:
    secrets = _module("services.secretsmanager")
    handler = _handlers()["AWS::SecretsManager::Secret"]
    create, update, delete = handler["create"], handler["update"], handler["delete"]

    def key(physical_id: str) -> str:
        return secrets._resolve(physical_id)[0] or physical_id

    def make(logical_id: str, properties: Any, stack: str) -> Any:
        _, attributes = create(logical_id, properties, stack)
        return attributes["Arn"], attributes

    def change(physical_id: str, old: Any, new: Any, stack: str, logical_id: str | None = None) -> Any:
        _, attributes = update(key(physical_id), old, new, stack, logical_id)
        return attributes["Arn"], attributes

    def remove(physical_id: str, properties: Any) -> None:
        delete(key(physical_id), properties)

    handler |= {"create": make, "update": change, "delete": remove}


_LEFT = (
    Difference(
        "API Gateway: access logs",
        "the stage's log group stays empty",
        "one line a request",
        "open",
        "template tests assert the setting",
    ),
    Difference(
        "API Gateway: time limit",
        "an answer after 29 s still arrives",
        "504",
        "open",
        "the query function's own timeout is 29 s",
    ),
    Difference(
        "API Gateway: TLS policy and endpoint access mode",
        "ignored, like its address in the stack's outputs",
        "enforced",
        "open",
        "`nightlake status` shows the local address",
    ),
    Difference(
        "CloudFormation: a name that is in use",
        "a second stack takes the resource over, and it goes when the first one lets it go",
        "the second stack is refused",
        "open",
        "deploy.md, A stage from before nested stacks",
    ),
    Difference(
        "CloudFormation: state before a kill",
        "saved when it is stopped: after `kill -9` buckets are there, stacks deployed since are not",
        "never lost",
        "open",
        "`nightlake down --forget`, then `nightlake deploy`",
    ),
    Difference(
        "CloudWatch: metrics of services",
        "only AWS/Lambda and AWS/States exist; metric filters give nothing",
        "every service has its own",
        "open",
        "template tests assert the alarms on other namespaces",
    ),
    Difference(
        "EC2: networks",
        "subnets, security groups and flow logs are shown and keep nothing out",
        "traffic is filtered and logged",
        "recorded",
        "cfn-lint, cdk-nag and template tests",
    ),
    Difference(
        "EventBridge: failing targets",
        "only a target that does not exist reaches the dead-letter queue; retry policies are ignored",
        "every delivery that keeps failing does",
        "open",
        "template tests assert queue and policy",
    ),
    Difference(
        "Glue: actions",
        "no GetTableVersions, no SearchTables",
        "they exist",
        "open",
        "nothing of ours calls it",
    ),
    Difference(
        "IAM: keys",
        "KMS through S3, SNS and SQS is not evaluated, nothing is encrypted",
        "key policies and grants decide",
        "open",
        "cdk-nag and template tests assert key policies and grants",
    ),
    Difference(
        "IAM: roles of services",
        "roles of state machines, rules and schedules are not evaluated; the test suite enforces those of functions",
        "every call is checked",
        "open",
        "a function's grant that no call needs fails the e2e tests; the machine's role is derived and simulated",
    ),
    Difference(
        "IAM: tables of Glue",
        "an action on a table is checked against its database alone: a denied table can be looked at",
        "checked against catalog, database and table",
        "open",
        "template tests assert grants and denials; files of denied tables are denied here too",
    ),
    Difference(
        "IAM: the local stage of `nightlake up`",
        "nothing is checked unless it is started with `--iam`",
        "always checked",
        "open",
        "the e2e tests run with IAM over TLS",
    ),
    Difference(
        "Lambda: environment",
        "this machine's Python and architecture, all installed packages importable, one shared /tmp, no memory limit",
        "the declared runtime, the function's own layer, /tmp and memory",
        "open",
        "the layer's closure, platform and size are tested",
    ),
    Difference(
        "S3: access logs",
        "configured, never delivered",
        "delivered within hours",
        "recorded",
        "template tests",
    ),
    Difference(
        "S3: conditional copies",
        "CopyObject ignores If-None-Match",
        "412",
        "open",
        "nothing of ours copies to create",
    ),
    Difference(
        "S3: lifecycle",
        "rules are shown, never run",
        "run daily",
        "recorded",
        "template tests assert the rules",
    ),
    Difference(
        "Secrets Manager: rotation",
        "the schedule is shown, the function is never called; ExcludePunctuation is ignored",
        "the function rotates the secret",
        "recorded",
        "no secret of ours rotates yet",
    ),
    Difference(
        "Step Functions: events",
        "`events:putEvents` adds no resources and passes over refused entries; executions within others send no event "
        "of their end",
        "the execution is a resource, `EventBridge.FailedEntry`; every execution sends one",
        "open",
        "no rule of ours looks at resources; template tests assert who is watched",
    ),
    Difference(
        "Step Functions: definitions",
        "invalid definitions are accepted",
        "refused when created",
        "open",
        "asl-validator, statelint and our own structural tests",
    ),
    Difference(
        "Step Functions: Distributed Map results",
        "ResultWriter and ItemBatcher are ignored, the output is the plain array, its limit is checked only as output",
        "a pointer to the results",
        "open",
        "no state of ours reads a Map's output",
    ),
    Difference(
        "Step Functions: error names of integrations",
        "`SNS.PublishFailed` and `S3.S3Exception` where AWS names the fault; S3 objects cannot be read or written",
        "the service's exception",
        "open",
        "no state catches them by name; S3 is used in functions only",
    ),
    Difference(
        "Step Functions: long delays",
        "a retry waits 60 s at most; `Assign` is ignored in JSONPath states",
        "as declared",
        "open",
        "no retry of ours waits longer, no state assigns variables",
    ),
    Difference(
        "Step Functions: Parallel",
        "a failed branch lets its sisters run to their end",
        "they are aborted",
        "open",
        "no definition of ours has branches yet",
    ),
    Difference(
        "X-Ray",
        "no traces; the state machine's tracing is dropped",
        "traces",
        "open",
        "template tests assert tracing",
    ),
)

ATHENA: dict[str, tuple[str, ...]] = {
    "Answers": (
        "`approx_distinct` and `approx_percentile` are exact; Athena estimates.",
        "What SQL leaves open is in another order: rows without ORDER BY, `array_agg`, the entries of a printed map.",
        "The last digits of a sum or average of doubles may differ: they are added in another order.",
        "`lower` and `upper` follow this engine's version of Unicode.",
        "Functions of Trino's current documentation are there that Athena's Trino may not have yet.",
        "`round` of doubles beyond 2^63 at the wanted digit is as the double is; some of Trino's versions cap it.",
        "A TIMESTAMP or TIME literal is of milliseconds (`timestamp(3)`), however many digits it is written with.",
        "Regular expressions with \\w, \\d, \\s or \\b fail where letters beyond ASCII leave their extent open.",
        "A statement that is no query and has a syntax error is told so in words of our own, at Trino's place.",
        "A query's syntax error is at Trino's word and place; the list of what was expected there may differ.",
    ),
    "Refused by name: statements": (
        "EXPLAIN, MERGE, UPDATE, DELETE, OPTIMIZE, VACUUM; also what Athena itself does not take.",
        "Iceberg, Hudi and Delta Lake, and so CREATE TABLE that is neither EXTERNAL nor AS.",
        "Buckets (`bucketed_by`, CLUSTERED BY), partition projection, `parquet.column.index.access`.",
        "Reading other formats than Parquet, LazySimpleSerDe, OpenCSVSerde and JSON: ORC, Avro, Ion, Grok, Regex.",
        "Writing other formats than PARQUET, TEXTFILE and JSON; INSERT INTO OpenCSVSerde or with ESCAPED BY.",
        "Compressions but GZIP, SNAPPY, ZSTD and none of Parquet, gzip and zstd of text.",
        "Nested types and other line ends in LazySimpleSerDe; `char(n)` in files.",
        "ALTER TABLE CHANGE, RENAME; DESCRIBE FORMATTED, EXTENDED, of a partition, INPUT, OUTPUT; SHOW FUNCTIONS.",
        "Federated and other accounts' catalogs.",
        "Functions of the user's (USING EXTERNAL FUNCTION, WITH FUNCTION), notebooks and Spark.",
    ),
    "Refused by name: queries": (
        "WITH RECURSIVE, MATCH_RECOGNIZE, TABLESAMPLE, table functions, the SQL/JSON functions (`json_value`...).",
        "Parentheses more than some thirty deep; numbers written `0x1F` or `1_000`.",
        "Where zones of one instant or orders of one map would count: INTERSECT, EXCEPT, `histogram`.",
        "NaN beside ALL and ANY; aggregates over columns of an outer query; GROUP BY DISTINCT of grouping sets.",
        "Times and timestamps of another precision than milliseconds; the types uuid, ipaddress and those of sketches.",
        "Units, formats and JSON paths that are not literals; regular expressions that Java and Python read otherwise.",
    ),
    "Files and bytes": (
        "CTAS, INSERT and UNLOAD write one file for each partition; Athena writes several at once.",
        "Timestamps are written to Parquet as INT64 of milliseconds.",
        "A failed CTAS, INSERT or UNLOAD leaves files in a workgroup tagged `nightlake:orphans=true`; on AWS in any.",
        "A text file's date of month 13 or day 32 is refused.",
        "What a line of JSON fails with is Python's reason behind Athena's words.",
        "Scanned bytes are whole columns of the partitions read: no row group, LIMIT or unused field is subtracted.",
        "A workgroup's limit of scanned bytes stops a query before it reads, not on its way.",
        "Lines of text files are of 16 MB at most; Athena takes 200 MB.",
        "An object in the classes GLACIER and DEEP_ARCHIVE fails the query; Athena passes over some.",
    ),
    "Service": (
        "Only the API call is checked: tables and objects are read and written as root, without Lake Formation.",
        "This machine's speed: eight queries at once, more are queued; DML does not end after 30 minutes.",
        "EventBridge gets no `Athena Query State Change`; state machines await their queries themselves.",
        "The `.metadata` object beside a result is JSON; Athena's is binary and undocumented.",
        "`SubstatementType` has names of ours where Athena's are not documented.",
        "Managed query results, `InputRows`, query plans and `QueryResultType` are absent.",
        "Client-side encryption of results (CSE_KMS) is refused.",
        "SHOW CREATE VIEW prints the text as it was stored; Athena formats it anew.",
        "A statement that is refused by name is refused by StartQueryExecution; a query ends FAILED.",
    ),
}
"""What is known to differ between the local Athena (local/athena) and AWS's, by topic. A wrong answer is a defect."""
