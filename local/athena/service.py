"""The Athena API over the engine: query executions, their states and results, workgroups, prepared statements.

It knows no emulator and no HTTP: a request is a dictionary, an answer too, as the API's reference spells them
(https://docs.aws.amazon.com/athena/latest/APIReference/). What it keeps lies in three mappings that its owner gives.
"""

import contextvars
import json
import logging
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from local.athena import results
from local.athena.catalog import Catalog, Database, Table
from local.athena.errors import InternalError, QueryError, QuerySyntaxError
from local.athena.execution import Result, Statement
from local.athena.session import CATALOG, Cancellation, QueryCancelledError, QueryStoppedError, Session
from local.athena.storage import split

Record = dict[str, Any]

ENGINE_VERSION = "Athena engine version 3"
AT_ONCE = 8
"""Queries that run at the same time; more wait as QUEUED."""
QUOTAS = {"DML": 200, "DDL": 20, "UTILITY": 20}
"""Active queries of an account in us-east-1: https://docs.aws.amazon.com/general/latest/gr/athena.html."""
QUERY_BYTES = 262_144
FINAL = frozenset({"SUCCEEDED", "FAILED", "CANCELLED"})
_LISTED = 50
_PAGE_ROWS = 1000
_REUSE_MINUTES = 60
_MOST_REUSE_MINUTES = 10_080
_MINIMUM_TOKEN = 32
_MISSING = "EntityNotFoundException"

_log = logging.getLogger(__name__)


class RequestError(Exception):
    """A request that the API refuses: `code` is the exception's name, `extra` its other members."""

    def __init__(self, code: str, message: str, **extra: str) -> None:
        super().__init__(message)
        self.code = code
        self.extra = extra


def _invalid(message: str, athena_code: str = "INVALID_INPUT") -> RequestError:
    return RequestError("InvalidRequestException", message, AthenaErrorCode=athena_code)


class Runner(Protocol):
    """What the service asks of an engine."""

    catalog: Catalog

    def parse(self, sql: str, session: Session) -> Statement: ...

    def run(self, statement: Statement, session: Session, csv: Path | None = None) -> Result: ...


@dataclass(frozen=True)
class Stores:
    """What outlives a request: query executions by id, workgroups by name, prepared statements by `workgroup/name`.

    Records are the API's own shapes; members whose names begin with an underscore are ours.
    """

    executions: MutableMapping[str, Record]
    workgroups: MutableMapping[str, Record]
    prepared: MutableMapping[str, Record]


class Athena:
    """The service. `call` serves every request; queries run on threads of its own, `AT_ONCE` at a time.

    Args:
        stores: where records are kept.
        engine: gives the engine that runs statements.
        s3: gives a boto3 client that writes and reads results.
        ended: told of every query execution that ended.
        leaves_orphans: whether writes that fail in a workgroup leave the files they had written, as on AWS.
    """

    def __init__(
        self,
        stores: Stores,
        engine: Callable[[], Runner],
        s3: Callable[[], Any],
        ended: Callable[[Record], None],
        leaves_orphans: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._leaves_orphans = leaves_orphans
        self._stores = stores
        self._engine = engine
        self._s3 = s3
        self._ended = ended
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="athena")
        self._lock = threading.RLock()
        self._live: dict[str, Cancellation] = {}
        self._actions: dict[str, Callable[[Mapping[str, Any]], Record]] = {
            "StartQueryExecution": self._start,
            "GetQueryExecution": self._get,
            "BatchGetQueryExecution": self._batch_get,
            "ListQueryExecutions": self._list,
            "StopQueryExecution": self._stop,
            "GetQueryResults": self._results,
            "GetQueryRuntimeStatistics": self._runtime,
            "GetWorkGroup": self._get_workgroup,
            "UpdateWorkGroup": self._update_workgroup,
            "CreatePreparedStatement": self._create_prepared,
            "UpdatePreparedStatement": self._update_prepared,
            "GetPreparedStatement": self._get_prepared,
            "BatchGetPreparedStatement": self._batch_get_prepared,
            "ListPreparedStatements": self._list_prepared,
            "DeletePreparedStatement": self._delete_prepared,
            "GetDatabase": self._database,
            "ListDatabases": self._list_databases,
            "GetTableMetadata": self._table_metadata,
            "ListTableMetadata": self._list_table_metadata,
        }

    @property
    def actions(self) -> frozenset[str]:
        """The API's actions that this service answers."""
        return frozenset(self._actions)

    def call(self, action: str, request: Mapping[str, Any]) -> Record:
        """Answer one request.

        Raises:
            RequestError: the API refuses it.
        """
        return self._actions[action](request)

    def close(self) -> None:
        """Stop every query and wait for its end."""
        for cancellation in list(self._live.values()):
            cancellation.request()
        self._pool.shutdown(wait=True)

    # Query executions

    def _start(self, request: Mapping[str, Any]) -> Record:
        with self._lock:
            known = self._known_token(request)
            if known:
                return {"QueryExecutionId": known}
            record, statement, session = self._admit(request)
            self._stores.executions[record["QueryExecutionId"]] = record
            earlier = self._reusable(record, statement)
            if earlier:
                _reuse(record, earlier)
                return {"QueryExecutionId": record["QueryExecutionId"]}
            self._live[record["QueryExecutionId"]] = session.cancellation
        # The account and region of the caller live in context variables, which threads do not inherit.
        self._pool.submit(contextvars.copy_context().run, self._execute, record, statement, session)
        return {"QueryExecutionId": record["QueryExecutionId"]}

    def _admit(self, request: Mapping[str, Any]) -> tuple[Record, Statement, Session]:
        """The new execution's record, its parsed statement and its session; nothing is kept yet."""
        sql = request.get("QueryString") or ""
        if not sql.strip():
            raise _invalid("QueryString must not be empty")
        if len(sql.encode()) > QUERY_BYTES:
            raise _invalid(f"QueryString is longer than {QUERY_BYTES} bytes: your query has {len(sql.encode())}")
        workgroup = self._workgroup(request.get("WorkGroup") or "primary")
        configuration = workgroup.get("Configuration") or {}
        context = request.get("QueryExecutionContext") or {}
        output, encryption = _result_place(request, workgroup)
        _check_reuse(request)
        self._check_bucket(output)
        session = Session(
            # awswrangler puts backquotes around the database here, and Athena takes it.
            database=(context.get("Database") or "default").strip("`").lower(),
            catalog=(context.get("Catalog") or "AwsDataCatalog").lower(),
            output=output,
            enforced=_enforced(workgroup),
            parameters=tuple(request.get("ExecutionParameters") or ()),
            prepared=_Prepared(self._stores.prepared, workgroup["Name"]),
            scan_limit=configuration.get("BytesScannedCutoffPerQuery"),
            orphans=self._leaves_orphans(workgroup["Name"]),
            query_id=str(uuid4()),
        )
        try:
            statement = self._engine().parse(sql, session)
        except QueryError as error:
            if not isinstance(error, QuerySyntaxError):
                raise _invalid(str(error)) from error
            raise _invalid(str(error).removeprefix("SYNTAX_ERROR: "), "MALFORMED_QUERY") from error
        self._keep_quota(statement.type)
        now = time.time()
        record: Record = {
            "QueryExecutionId": session.query_id,
            "Query": sql,
            "StatementType": statement.type,
            "SubstatementType": statement.substatement,
            "ResultConfiguration": {"OutputLocation": output_location(session, statement), **encryption},
            "QueryExecutionContext": {"Database": session.database, "Catalog": session.catalog},
            "Status": {"State": "QUEUED", "SubmissionDateTime": now},
            "Statistics": _statistics(),
            "WorkGroup": workgroup["Name"],
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE_VERSION},
            "_request": _identity(request),
            "_token": request.get("ClientRequestToken"),
        }
        for name in ("ExecutionParameters", "ResultReuseConfiguration"):
            if request.get(name):
                record[name] = request[name]
        return record, statement, session

    def _check_bucket(self, output: str) -> None:
        bucket, _ = split(output)
        client = self._s3()
        try:
            client.head_bucket(Bucket=bucket)
        except client.exceptions.ClientError as error:
            raise _invalid(f"Unable to verify/create output bucket {bucket}") from error

    def _known_token(self, request: Mapping[str, Any]) -> str | None:
        token = request.get("ClientRequestToken")
        if token is None:
            return None
        if len(token) < _MINIMUM_TOKEN:
            raise _invalid(f"ClientRequestToken must have at least {_MINIMUM_TOKEN} characters")
        for identifier, record in self._stores.executions.items():
            if record.get("_token") == token:
                if record["_request"] != _identity(request):
                    raise _invalid("Idempotent parameters do not match")
                return str(identifier)
        return None

    def _keep_quota(self, kind: str) -> None:
        active = sum(
            self._stores.executions[identifier]["StatementType"] == kind
            for identifier in list(self._live)
            if identifier in self._stores.executions
        )
        if active >= QUOTAS[kind]:
            raise RequestError(
                "TooManyRequestsException",
                "You have exceeded the limit for the number of queries you can run concurrently. "
                "Please reduce the number of concurrent queries submitted by this account.",
                Reason="CONCURRENT_QUERY_LIMIT_EXCEEDED",
            )

    def _reusable(self, record: Record, statement: Statement) -> Record | None:
        """The newest earlier execution whose results stand for this one, where the caller asked for such."""
        asked = (record.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
        if not asked.get("Enabled") or statement.substatement not in {"SELECT", "EXECUTE"}:
            return None
        oldest = time.time() - 60 * asked.get("MaxAgeInMinutes", _REUSE_MINUTES)
        same = ("Query", "QueryExecutionContext", "WorkGroup", "ExecutionParameters")
        found = [
            other
            for other in self._stores.executions.values()
            if other["Status"]["State"] == "SUCCEEDED"
            and not other["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
            and other["Status"]["CompletionDateTime"] >= oldest
            and all(other.get(name) == record.get(name) for name in same)
        ]
        newest = max(found, key=lambda other: float(other["Status"]["CompletionDateTime"]), default=None)
        return newest if newest and self._is_there(newest["ResultConfiguration"]["OutputLocation"]) else None

    def _is_there(self, uri: str) -> bool:
        bucket, key = split(uri)
        listed = self._s3().list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1)
        return any(each["Key"] == key for each in listed.get("Contents", ()))

    def _execute(self, record: Record, statement: Statement, session: Session) -> None:
        begun = time.time()
        statistics = record["Statistics"]
        statistics["QueryQueueTimeInMillis"] = _millis(record["Status"]["SubmissionDateTime"], begun)
        try:
            with tempfile.TemporaryDirectory(prefix="athena-") as scratch:
                if session.cancellation.requested:
                    raise QueryCancelledError  # noqa: TRY301 (one way to end)
                record["Status"]["State"] = "RUNNING"
                csv = Path(scratch) / "result.csv"
                result = self._engine().run(statement, session, csv)
                engine_ended = time.time()
                statistics["EngineExecutionTimeInMillis"] = _millis(begun, engine_ended)
                _take(record, result)
                self._write(record, result, csv)
            self._end(record, "SUCCEEDED", begun=begun)
        except QueryStoppedError as error:
            statistics["DataScannedInBytes"] = error.scanned_bytes
            self._end(record, "CANCELLED", str(error), begun=begun)
        except QueryError as error:
            statistics["DataScannedInBytes"] = error.scanned_bytes
            self._fail(record, error, begun)
        except Exception as error:  # noqa: BLE001 (whatever a query does, it ends with a state)
            _log.exception("Query %s failed by a defect of the engine", session.query_id)
            self._fail(record, error, begun)
        finally:
            self._live.pop(session.query_id, None)

    def _fail(self, record: Record, error: Exception, begun: float) -> None:
        told = error if isinstance(error, QueryError) else InternalError(f"{type(error).__name__}: {error}")
        record["Status"]["AthenaError"] = {
            "ErrorCategory": told.category,
            "ErrorType": told.type_number,
            "Retryable": told.retryable,
            "ErrorMessage": str(told),
        }
        self._end(record, "FAILED", str(told), begun=begun)

    def _end(self, record: Record, state: str, reason: str | None = None, *, begun: float) -> None:
        now = time.time()
        statistics, status = record["Statistics"], record["Status"]
        if "EngineExecutionTimeInMillis" not in statistics or not statistics["EngineExecutionTimeInMillis"]:
            statistics["EngineExecutionTimeInMillis"] = _millis(begun, now)
        statistics["TotalExecutionTimeInMillis"] = _millis(status["SubmissionDateTime"], now)
        spent = statistics["QueryQueueTimeInMillis"] + statistics["EngineExecutionTimeInMillis"]
        statistics["ServiceProcessingTimeInMillis"] = max(0, statistics["TotalExecutionTimeInMillis"] - spent)
        status["CompletionDateTime"] = now
        if reason:
            status["StateChangeReason"] = reason
        # The state is last: whoever polls it finds all the rest in place.
        status["State"] = state
        self._ended(record)

    def _write(self, record: Record, result: Result, csv: Path) -> None:
        """The result's objects: rows, and their types beside them."""
        uri = record["ResultConfiguration"]["OutputLocation"]
        bucket, key = split(uri)
        extra = _encryption_headers(record["ResultConfiguration"].get("EncryptionConfiguration"))
        if csv.exists():
            self._s3().upload_file(str(csv), bucket, key, ExtraArgs=extra)
            record["_bytes"] = csv.stat().st_size
        elif uri.endswith(".txt"):
            body = "".join(f"{line}\n" for line in result.lines).encode()
            self._s3().put_object(Bucket=bucket, Key=key, Body=body, **extra)
            record["_bytes"] = len(body)
        columns = results.column_info(result.columns) or results.text_info(record["SubstatementType"])
        metadata = json.dumps({"ColumnInfo": columns}).encode()
        self._s3().put_object(Bucket=bucket, Key=f"{key}.metadata", Body=metadata, **extra)

    def _record(self, identifier: str | None) -> Record:
        record = self._stores.executions.get(identifier or "")
        if record is None:
            raise _invalid(f"QueryExecution {identifier} was not found")
        if record["Status"]["State"] not in FINAL and identifier not in self._live:
            self._fail(record, RuntimeError("the local AWS was stopped while the query ran"), time.time())
        return record

    def _get(self, request: Mapping[str, Any]) -> Record:
        return {"QueryExecution": shown(self._record(request.get("QueryExecutionId")))}

    def _batch_get(self, request: Mapping[str, Any]) -> Record:
        found, missing = [], []
        for identifier in request.get("QueryExecutionIds", ()):
            try:
                found.append(shown(self._record(identifier)))
            except RequestError as error:
                refusal = {"ErrorCode": "INVALID_INPUT", "ErrorMessage": str(error)}
                missing.append({"QueryExecutionId": identifier, **refusal})
        return {"QueryExecutions": found, "UnprocessedQueryExecutionIds": missing}

    def _list(self, request: Mapping[str, Any]) -> Record:
        workgroup = self._workgroup(request.get("WorkGroup") or "primary")["Name"]
        own = [record for record in self._stores.executions.values() if record["WorkGroup"] == workgroup]
        own.sort(key=lambda record: float(record["Status"]["SubmissionDateTime"]), reverse=True)
        page, token = _page([record["QueryExecutionId"] for record in own], request)
        return {"QueryExecutionIds": page, **token}

    def _stop(self, request: Mapping[str, Any]) -> Record:
        record = self._record(request.get("QueryExecutionId"))
        cancellation = self._live.get(record["QueryExecutionId"])
        if cancellation:
            cancellation.request()
        return {}

    def _results(self, request: Mapping[str, Any]) -> Record:
        record = self._record(request.get("QueryExecutionId"))
        state = record["Status"]["State"]
        if state not in FINAL:
            raise _invalid(f"Query has not yet finished. Current state: {state}", "INVALID_QUERY_STATE")
        if state != "SUCCEEDED":
            raise _invalid(
                f"Query did not finish successfully. Final query state: {state}", "INVALID_QUERY_EXECUTION_STATE"
            )
        limit = request.get("MaxResults") or _PAGE_ROWS
        if not 1 <= limit <= _PAGE_ROWS:
            raise _invalid(f"MaxResults is more than maximum allowed length {_PAGE_ROWS}")
        start = _start(record, request.get("NextToken"))
        uri = record["ResultConfiguration"]["OutputLocation"]
        metadata = json.loads(self._object(f"{uri}.metadata"))
        rows: list[Record] = []
        following: int | None = None
        if uri.endswith((".csv", ".txt")):
            size = record["_bytes"]
            take = results.csv_rows if uri.endswith(".csv") else results.text_rows
            rows, following = take(lambda start, end: self._object(uri, start, end), size, start, limit)
        answer: Record = {"ResultSet": {"Rows": rows, "ResultSetMetadata": metadata}}
        if record.get("_update_count") is not None:
            answer["UpdateCount"] = record["_update_count"]
        return answer if following is None else answer | {"NextToken": f"{record['QueryExecutionId']}:{following}"}

    def _object(self, uri: str, start: int | None = None, end: int | None = None) -> bytes:
        bucket, key = split(uri)
        part = {} if start is None or end is None else {"Range": f"bytes={start}-{end - 1}"}
        client = self._s3()
        try:
            body: bytes = client.get_object(Bucket=bucket, Key=key, **part)["Body"].read()
        except client.exceptions.NoSuchKey as error:
            raise _invalid(f"Could not find results: {uri} is gone", "INVALID_INPUT") from error
        return body

    def _runtime(self, request: Mapping[str, Any]) -> Record:
        record = self._record(request.get("QueryExecutionId"))
        taken = record["Statistics"]
        names = (
            "QueryQueueTimeInMillis",
            "QueryPlanningTimeInMillis",
            "EngineExecutionTimeInMillis",
            "ServicePreProcessingTimeInMillis",
            "ServiceProcessingTimeInMillis",
            "TotalExecutionTimeInMillis",
        )
        rows = {"InputBytes": taken["DataScannedInBytes"], "OutputBytes": record.get("_bytes", 0)}
        if record.get("_rows") is not None:
            rows["OutputRows"] = record["_rows"]
        timeline = {name: taken[name] for name in names if name in taken}
        return {"QueryRuntimeStatistics": {"Timeline": timeline, "Rows": rows}}

    # Workgroups

    def _workgroup(self, name: str) -> Record:
        workgroup = self._stores.workgroups.get(name)
        if workgroup is None:
            raise _invalid(f"WorkGroup {name} is not found.")
        if workgroup.get("State") == "DISABLED":
            raise _invalid(f"WorkGroup {name} is disabled.")
        return workgroup

    def _get_workgroup(self, request: Mapping[str, Any]) -> Record:
        name = request.get("WorkGroup")
        workgroup = self._stores.workgroups.get(name or "")
        if workgroup is None:
            raise _invalid(f"WorkGroup {name} is not found.")
        configuration = {
            "EnforceWorkGroupConfiguration": name != "primary",
            "PublishCloudWatchMetricsEnabled": False,
            "RequesterPaysEnabled": False,
            "EngineVersion": {"SelectedEngineVersion": "AUTO", "EffectiveEngineVersion": ENGINE_VERSION},
            **(workgroup.get("Configuration") or {}),
        }
        return {"WorkGroup": {**workgroup, "Configuration": configuration}}

    def _update_workgroup(self, request: Mapping[str, Any]) -> Record:
        name = request.get("WorkGroup") or ""
        workgroup = self._stores.workgroups.get(name)
        if workgroup is None:
            raise _invalid(f"WorkGroup {name} is not found.")
        changed = {key: request[key] for key in ("Description", "State") if key in request}
        changes = request.get("ConfigurationUpdates")
        if changes:
            changed["Configuration"] = _updated(workgroup.get("Configuration") or {}, changes)
        self._stores.workgroups[name] = {**workgroup, **changed}
        return {}

    # Prepared statements

    def _prepared(self, request: Mapping[str, Any]) -> tuple[str, Record]:
        key = f"{request.get('WorkGroup')}/{request.get('StatementName')}"
        statement = self._stores.prepared.get(key)
        if statement is None:
            name = request.get("StatementName")
            raise RequestError(
                "ResourceNotFoundException", f"PreparedStatement {name} was not found", ResourceName=str(name)
            )
        return key, statement

    def _create_prepared(self, request: Mapping[str, Any]) -> Record:
        workgroup, name = self._workgroup(request["WorkGroup"])["Name"], request["StatementName"]
        if f"{workgroup}/{name}" in self._stores.prepared:
            raise _invalid(f"PreparedStatement {name} already exists in workgroup {workgroup}")
        _keep_prepared(
            self._stores.prepared, workgroup, name, request["QueryStatement"], request.get("Description", "")
        )
        return {}

    def _update_prepared(self, request: Mapping[str, Any]) -> Record:
        key, statement = self._prepared(request)
        changed = {name: request[name] for name in ("QueryStatement", "Description") if name in request}
        self._stores.prepared[key] = statement | changed | {"LastModifiedTime": time.time()}
        return {}

    def _get_prepared(self, request: Mapping[str, Any]) -> Record:
        return {"PreparedStatement": self._prepared(request)[1]}

    def _batch_get_prepared(self, request: Mapping[str, Any]) -> Record:
        found, missing = [], []
        for name in request.get("PreparedStatementNames", ()):
            try:
                found.append(self._prepared({"WorkGroup": request.get("WorkGroup"), "StatementName": name})[1])
            except RequestError as error:
                missing.append({"StatementName": name, "ErrorCode": "STATEMENT_NOT_FOUND", "ErrorMessage": str(error)})
        return {"PreparedStatements": found, "UnprocessedPreparedStatementNames": missing}

    def _list_prepared(self, request: Mapping[str, Any]) -> Record:
        own = (each for each in self._stores.prepared.values() if each["WorkGroupName"] == request.get("WorkGroup"))
        listed = [{name: each[name] for name in ("StatementName", "LastModifiedTime")} for each in own]
        page, token = _page(sorted(listed, key=lambda each: str(each["StatementName"])), request)
        return {"PreparedStatements": page, **token}

    def _delete_prepared(self, request: Mapping[str, Any]) -> Record:
        del self._stores.prepared[self._prepared(request)[0]]
        return {}

    # The catalog as the API shows it

    def _catalog(self, request: Mapping[str, Any]) -> Catalog:
        name = request.get("CatalogName") or CATALOG
        if name.lower() != CATALOG:
            raise RequestError("MetadataException", f"Catalog {name} not found")
        return self._engine().catalog

    def _database(self, request: Mapping[str, Any]) -> Record:
        name = request["DatabaseName"].lower()
        database = self._catalog(request).database(name)
        if database is None:
            raise _missing(f"Database {name} not found.")
        return {"Database": _database_shown(database)}

    def _list_databases(self, request: Mapping[str, Any]) -> Record:
        page, token = _page([_database_shown(each) for each in self._catalog(request).databases()], request)
        return {"DatabaseList": page, **token}

    def _table_metadata(self, request: Mapping[str, Any]) -> Record:
        database, name = request["DatabaseName"].lower(), request["TableName"].lower()
        table = self._catalog(request).table(database, name)
        if table is None:
            raise _missing(f"Table {name} not found in {database}.")
        return {"TableMetadata": _table_shown(table)}

    def _list_table_metadata(self, request: Mapping[str, Any]) -> Record:
        database, catalog = request["DatabaseName"].lower(), self._catalog(request)
        if catalog.database(database) is None:
            raise _missing(f"Database {database} not found.")
        tables = results.matching(catalog.tables(database), request.get("Expression"))
        page, token = _page([_table_shown(table) for table in tables], request)
        return {"TableMetadataList": page, **token}


def _missing(reason: str) -> RequestError:
    """What Athena makes of Glue's error; clients look for the code inside the parentheses."""
    envelope = (
        f"Service: AmazonDataCatalog; Status Code: 400; Error Code: {_MISSING}; Request ID: {uuid4()}; Proxy: null"
    )
    return RequestError("MetadataException", f"{_MISSING}: {reason} ({envelope})")


class _Prepared(MutableMapping[str, str]):
    """A workgroup's prepared statements by their names in lower case: what PREPARE, EXECUTE and DEALLOCATE use."""

    def __init__(self, stored: MutableMapping[str, Record], workgroup: str) -> None:
        self._stored = stored
        self._workgroup = workgroup

    def _keys(self) -> dict[str, str]:
        own = ((key, each) for key, each in self._stored.items() if each["WorkGroupName"] == self._workgroup)
        return {each["StatementName"].lower(): key for key, each in own}

    def __getitem__(self, name: str) -> str:
        return str(self._stored[self._keys()[name.lower()]]["QueryStatement"])

    def __setitem__(self, name: str, text: str) -> None:
        _keep_prepared(self._stored, self._workgroup, name, text)

    def __delitem__(self, name: str) -> None:
        del self._stored[self._keys()[name.lower()]]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys())

    def __len__(self) -> int:
        return len(self._keys())


def _keep_prepared(
    stored: MutableMapping[str, Record], workgroup: str, name: str, text: str, description: str = ""
) -> None:
    stored[f"{workgroup}/{name}"] = {
        "StatementName": name,
        "WorkGroupName": workgroup,
        "QueryStatement": text,
        "Description": description,
        "LastModifiedTime": time.time(),
    }


def output_location(session: Session, statement: Statement) -> str:
    """Where a statement's results lie: https://docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html."""
    if statement.substatement == "CREATE_TABLE_AS_SELECT":
        return f"{session.output}tables/{session.query_id}"
    if statement.substatement in {"INSERT", "UNLOAD"}:
        return f"{session.output}{session.query_id}"
    return f"{session.output}{session.query_id}.{'csv' if statement.type == 'DML' else 'txt'}"


def shown(record: Record) -> Record:
    """A record as the API shows it."""
    return {name: value for name, value in record.items() if not name.startswith("_")}


def _enforced(workgroup: Mapping[str, Any]) -> bool:
    """Whether the workgroup's output location overrides its users'.

    Workgroups made without a word on it enforce, but for the account's own `primary`.
    """
    configuration = workgroup.get("Configuration") or {}
    asked = configuration.get("EnforceWorkGroupConfiguration", workgroup["Name"] != "primary")
    return bool(asked and (configuration.get("ResultConfiguration") or {}).get("OutputLocation"))


def _result_place(request: Mapping[str, Any], workgroup: Mapping[str, Any]) -> tuple[str, Record]:
    """The output folder and the encryption to echo: the workgroup's where it enforces them, else the caller's first.

    https://docs.aws.amazon.com/athena/latest/ug/workgroups-settings-override.html
    """
    own = dict(request.get("ResultConfiguration") or {})
    theirs = dict((workgroup.get("Configuration") or {}).get("ResultConfiguration") or {})
    chosen = theirs if _enforced(workgroup) else {**theirs, **own}
    location = chosen.get("OutputLocation")
    if not location:
        raise _invalid(
            "No output location provided. An output location is required either through the "
            "Workgroup result configuration setting or as an API input."
        )
    try:
        split(location)
    except ValueError as error:
        raise _invalid(f"outputLocation is not a valid S3 path: {location}") from error
    if (chosen.get("EncryptionConfiguration") or {}).get("EncryptionOption") == "CSE_KMS":
        raise _invalid("Client-side encryption of results (CSE_KMS) is not supported by the local Athena: use SSE_KMS")
    echoed = {name: value for name, value in chosen.items() if name != "OutputLocation"}
    return location if location.endswith("/") else f"{location}/", echoed


def _updated(configuration: Mapping[str, Any], changes: Mapping[str, Any]) -> Record:
    """A configuration after changes: `Remove<member>` takes a member away, `<member>Updates` goes deeper."""
    kept = dict(configuration)
    for name, value in changes.items():
        if name.startswith("Remove"):
            if value:
                kept.pop(name.removeprefix("Remove"), None)
        elif name.endswith("Updates"):
            inner = name.removesuffix("Updates")
            kept[inner] = _updated(kept.get(inner) or {}, value)
        else:
            kept[name] = value
    return kept


def _check_reuse(request: Mapping[str, Any]) -> None:
    asked = (request.get("ResultReuseConfiguration") or {}).get("ResultReuseByAgeConfiguration") or {}
    if not 0 <= asked.get("MaxAgeInMinutes", _REUSE_MINUTES) <= _MOST_REUSE_MINUTES:
        raise _invalid(f"MaxAgeInMinutes must be from 0 to {_MOST_REUSE_MINUTES}")


def _encryption_headers(encryption: Mapping[str, str] | None) -> dict[str, str]:
    if not encryption or encryption["EncryptionOption"] == "SSE_S3":
        return {"ServerSideEncryption": "AES256"} if encryption else {}
    key = {"SSEKMSKeyId": encryption["KmsKey"]} if encryption.get("KmsKey") else {}
    return {"ServerSideEncryption": "aws:kms", **key}


def _identity(request: Mapping[str, Any]) -> Record:
    """The members by which two requests with one token are the same."""
    return {name: value for name, value in request.items() if name != "ClientRequestToken"}


def _statistics() -> Record:
    return {
        "EngineExecutionTimeInMillis": 0,
        "DataScannedInBytes": 0,
        "TotalExecutionTimeInMillis": 0,
        "QueryQueueTimeInMillis": 0,
        "QueryPlanningTimeInMillis": 0,
        "ServicePreProcessingTimeInMillis": 0,
        "ServiceProcessingTimeInMillis": 0,
        "ResultReuseInformation": {"ReusedPreviousResult": False},
    }


def _take(record: Record, result: Result) -> None:
    statistics = record["Statistics"]
    statistics["DataScannedInBytes"] = result.scanned_bytes
    statistics["QueryPlanningTimeInMillis"] = result.planning_millis
    if result.manifest:
        statistics["DataManifestLocation"] = result.manifest
    record["_update_count"] = result.update_count
    record["_rows"] = result.row_count


def _reuse(record: Record, earlier: Record) -> None:
    record["ResultConfiguration"] = dict(earlier["ResultConfiguration"])
    record["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"] = True
    record |= {name: earlier[name] for name in ("_bytes", "_rows", "_update_count") if name in earlier}
    record["Status"] |= {"CompletionDateTime": time.time(), "State": "SUCCEEDED"}


def _millis(start: float, end: float) -> int:
    return max(0, round((end - start) * 1000))


def _start(record: Record, token: str | None) -> int:
    """Where the page of a token of this execution's results starts."""
    identifier, _, start = (token or f"{record['QueryExecutionId']}:0").rpartition(":")
    if identifier != record["QueryExecutionId"] or not start.isdigit() or int(start) > record.get("_bytes", 0):
        raise _invalid("Invalid NextToken")
    return int(start)


def _page(found: list[Any], request: Mapping[str, Any]) -> tuple[list[Any], Record]:
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise _invalid("Invalid NextToken")
    start = int(token)
    end = start + (request.get("MaxResults") or _LISTED)
    return found[start:end], {"NextToken": str(end)} if end < len(found) else {}


def _database_shown(database: Database) -> Record:
    described = {"Description": database.description} if database.description else {}
    return {"Name": database.name, **described, "Parameters": dict(database.parameters)}


def _table_shown(table: Table) -> Record:
    def column(each: Any) -> Record:
        return {"Name": each.name, "Type": each.type, **({"Comment": each.comment} if each.comment else {})}

    # Athena shows the storage among the parameters, where drivers look for it.
    storage = {
        "inputformat": table.storage.input_format,
        "location": table.storage.location,
        "outputformat": table.storage.output_format,
        "serde.serialization.lib": table.storage.serde,
        **{f"serde.param.{name}": value for name, value in table.storage.serde_parameters.items()},
    }
    return {
        "Name": table.name,
        "TableType": table.type,
        "Columns": [column(each) for each in table.columns],
        "PartitionKeys": [column(each) for each in table.partition_keys],
        "Parameters": {**table.parameters, **{name: value for name, value in storage.items() if value}},
    }
