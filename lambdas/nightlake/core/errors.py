"""Every error that Nightlake raises by name.

Step Functions compares the bare class name and knows no inheritance, so only leaf classes are raised and a rename is
a breaking change. Each docstring says when the error is raised and whether trying again can help.
"""

from dataclasses import dataclass


class NightlakeError(Exception):
    """Root of all our errors; never raised itself."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is wrong in a file a person wrote: `line` counts from 1, `reason` says what to do."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class ContractError(NightlakeError):
    """Raised when a pipeline's files cannot be used; carries every problem found. Retrying does not help."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ParameterError(NightlakeError):
    """Base of the errors that say which `parameter` a caller is to change, if it is one; never raised itself."""

    def __init__(self, message: str, parameter: str | None = None) -> None:
        super().__init__(message)
        self.parameter = parameter


class TransientError(NightlakeError):
    """Base of the errors that every Lambda Task of a state machine must retry by name; never raised itself."""


class AwsUnavailableError(TransientError):
    """Raised when AWS throttles, fails or does not answer for longer than its client tries. Retrying helps."""


class InvalidInputError(NightlakeError):
    """Raised when what started an execution has unknown or wrong fields. Retrying does not help."""


class InvalidDateError(NightlakeError):
    """Raised when a requested date is not a day written YYYY-MM-DD or lies in the future. Retrying does not help."""


class InvalidScheduledTimeError(NightlakeError):
    """Raised when a scheduled time is not ISO 8601 with a time zone, or of no run's years. Retrying does not help."""


class SourceNotReadyError(NightlakeError):
    """Raised when a day's delivery is not complete at its deadline. Retrying helps once what is missing has landed."""


class HeaderMismatchError(NightlakeError):
    """Raised when an object lacks columns, repeats them or has undeclared ones. Mend the delivery or the contract."""


class EncodingError(NightlakeError):
    """Raised when an object as a whole is not in the encoding that its source declares. Mend the delivery."""


class CompressedObjectError(NightlakeError):
    """Raised when an object is compressed as no reader takes it, too large for that, damaged or cut off. Mend it."""


class JsonTruncatedError(NightlakeError):
    """Raised when a JSON array ends in the middle. Deliver the whole object."""


class JsonSyntaxError(NightlakeError):
    """Raised when an object is not one JSON array and nothing else. Mend the delivery."""


class ParquetUnreadableError(NightlakeError):
    """Raised when an object is not Parquet, or cut off. Deliver the whole object."""


class ApiUnavailableError(TransientError):
    """Raised when an API does not answer, or answers 5xx, also to the tries that followed. Trying again later helps."""


class AnswerTruncatedError(TransientError):
    """Raised when an API's answer ends before its end, each time it was asked. Trying again later can help."""


class ExtractionTakenError(TransientError):
    """Raised when somebody else writes the same extraction. Trying again goes on from what was landed."""


class ApiUnauthorizedError(NightlakeError):
    """Raised when an API refuses our secret, also once it was read anew, or the secret is unusable. Renew it."""


class ApiRefusedError(NightlakeError):
    """Raised when an API answers that the question is wrong (4xx). Mend what pipeline.yaml asks."""


class AnswerNotJsonError(NightlakeError):
    """Raised when an answer is no JSON, such as a page of HTML. Ask the API's owner, or mend the URL."""


class AnswerTooLargeError(NightlakeError):
    """Raised when an answer has more bytes than `max_answer_bytes`. Ask for smaller pages, or allow more."""


class AnswerShapeError(NightlakeError):
    """Raised when an answer has not the records, columns, totals or cursors that its source declares. Mend either."""


class AnswersIncompleteError(NightlakeError):
    """Raised when all pages have other records than the total says, each time all were read. Ask the API's owner."""


class PageRepeatedError(NightlakeError):
    """Raised when an API answers a page that it has answered before. Mend how `pages` asks for the next one."""


class TotalChangedError(NightlakeError):
    """Raised when the total changed while pages were read, each time all were read. Ask when the data rests."""


class RecordsMovedError(NightlakeError):
    """Raised when records moved from page to page while they were read, each time all were. Ask when they rest."""


class TooManyPagesError(NightlakeError):
    """Raised when there are more pages than the `limit` of `pages`. Allow more, or ask for larger ones."""


class HostNotAllowedError(NightlakeError):
    """Raised when an answer leads to a host that is not declared, or a host to a private address. Declare it."""


class DatabaseUnavailableError(TransientError):
    """Raised when a database refuses, has no connection left, or breaks one off. Retrying helps once it is back."""


class LockTimeoutError(TransientError):
    """Raised when a table stays locked for longer than its source waits. Retrying helps when the lock is gone."""


class QueryTimeoutError(TransientError):
    """Raised when a statement takes longer than its source allows, or is cancelled. Retrying helps when less is on."""


class DatabaseAuthError(NightlakeError):
    """Raised when a database takes the secret's credentials not, read anew for half a minute. Mend secret or role."""


class DatabaseTlsError(NightlakeError):
    """Raised when a database has no TLS, or a certificate that proves it not. Mend its certificate or the secret."""


class DatabaseSecretError(NightlakeError):
    """Raised when a database is in no settings, or its secret does not say how to connect. Mend them, then rerun."""


class TableNotFoundError(NightlakeError):
    """Raised when a database has no table of a source's name. Mend the source, or create the table."""


class TableUnsuitableError(NightlakeError):
    """Raised when a table can not be read as its source says: its watermark, key or kind. Mend the source."""


class PermissionDeniedError(NightlakeError):
    """Raised when a role may not read a table. Grant SELECT, then rerun."""


class ConnectionsExceededError(NightlakeError):
    """Raised when a source declares more connections than its database has left. Declare fewer, or free some."""


class QueryFailedError(NightlakeError):
    """Raised when a database ends a statement for a reason that is not named here. See its log, then rerun."""


class SourceChangedError(NightlakeError):
    """Raised when the version of an object that was planned is gone. Plan again: the next attempt does."""


class BalanceError(NightlakeError):
    """Raised when a shard's rows and refused rows are not all of its records. A defect of Nightlake: report it."""


class PipelineNotDeployedError(NightlakeError):
    """Raised when a function's package holds no compiled contract of a pipeline. Deploy again, then rerun."""


class TableNotInContractError(NightlakeError):
    """Raised when a definition is asked for of a table that a contract does not publish. Retrying does not help."""


class RunInProgressError(NightlakeError):
    """Raised when another execution runs for the same date or night. Prepare waits for it; then rerun when it ended."""


class RunSupersededError(NightlakeError):
    """Raised when a run wants to publish whose lock another run has taken. Retrying does not help."""


class SourceRejectedError(NightlakeError):
    """Raised when a source is not good and its night can not go on without it. Mend the delivery, then rerun."""


class BackfillFailedError(NightlakeError):
    """Raised when some dates of a backfill failed; the others are done. Mend what their alerts say, then rerun them."""


class StagedFileChangedError(NightlakeError):
    """Raised when a staged file is no longer the one that was validated. Rerun the date, which converts it again."""


class SealedFilesChangedError(NightlakeError):
    """Raised when a prefix holds other files than those that were sealed and audited. Rerun the date."""


class OverlapPublishedError(NightlakeError):
    """Raised when another date published rows of an overlap after this run had read them. Rerun the date."""


class PublishContendedError(TransientError):
    """Raised when HEAD or CHAMPION moved away from every attempt to move it. Retrying helps: it reads the newest."""


class ProjectionError(TransientError):
    """Raised when the catalog does not become what HEAD says. Retrying helps; the next Prepare completes it too."""


class ColumnTypeChangedError(NightlakeError):
    """Raised when a contract gives a column a type that its published days cannot be read as. Mend the contract."""


class SnapshotNotFoundError(NightlakeError):
    """Raised when a rollback names a snapshot that is not kept, or nothing is published. Retrying does not help."""


class NoModelDeclaredError(NightlakeError):
    """Raised when a model is asked for of a pipeline without a model.yaml. Write one, then deploy."""


class ModelNotFoundError(NightlakeError):
    """Raised when a version of a model is not there, or there is none before the champion. Retrying does not help."""


class ModelUnreadableError(NightlakeError):
    """Raised when what is kept of a version is gone or is not what its record says. Train anew, or roll back."""


class ModelRejectedError(NightlakeError):
    """Raised when a version is to be promoted that its evaluation rejected. Only a person may do that, by force."""


class ChampionChangedError(NightlakeError):
    """Raised when another version is champion than the one that a promotion expects. Judge again, against that one."""


class TrainingDataMissingError(NightlakeError):
    """Raised when a snapshot has no rows to learn from, or not the columns. Run a night, or mend model.yaml."""


class ScoringIncompleteError(NightlakeError):
    """Raised when receipts of a scoring lack users, have them twice, or lists are empty. Start the scoring anew."""


class PayloadTooLargeError(NightlakeError):
    """Raised when an event or a result exceeds what Step Functions carries. Retrying does not help."""


class StatementError(NightlakeError):
    """Raised when an SQL file reads or creates what it may not, or names another day. Mend the file, then deploy."""


class ReportTooLargeError(NightlakeError):
    """Raised when a report answers more rows than a report may have. Let its SQL answer fewer, then deploy."""


class QueryResultUnreadableError(NightlakeError):
    """Raised when Athena does not give the rows of a finished query. Rerun the date, which asks again."""


class DuplicateKeysError(NightlakeError):
    """Raised when rows repeat values that the contract says are unique. Mend the source, then rerun the date."""


class RelationshipBrokenError(NightlakeError):
    """Raised when a relationship of severity fail has values without a target. Mend the source, then rerun."""


class MergeAuditError(NightlakeError):
    """Raised when an audit finds wrong rows in a merge, or its files do not add up. Mend the SQL or the source."""


class InvalidKeyError(NightlakeError):
    """Raised when a key of the API is to be made with a name, scope or end that there cannot be. Mend it."""


class IssuerUnreachableError(NightlakeError):
    """Raised when the issuer of the API's tokens does not give its public keys. Retrying helps once it does."""


class CallerUnknownError(NightlakeError):
    """Raised when the API is asked and nobody has said who asks. Send a key or a token that is valid."""


class ScopeMissingError(NightlakeError):
    """Raised when a caller of the API has no scope for what a route tells of. Ask for a key with that scope."""


class DatasetNotFoundError(NightlakeError):
    """Raised when the API is asked for a dataset that no contract describes. Retrying does not help."""


class UnknownParameterError(ParameterError):
    """Raised when the API is asked with a query parameter that it does not know. Retrying does not help."""


class InvalidParameterError(ParameterError):
    """Raised when a query parameter of the API has a value that is not allowed. Retrying does not help."""


class NotAcceptableError(NightlakeError):
    """Raised when a caller of the API accepts no format that a route answers in. Send another Accept header."""


class QuestionTooLongError(NightlakeError):
    """Raised when the path and query of a request to the API are longer than any sensible one. Ask for less."""


class NothingPublishedError(NightlakeError):
    """Raised when the API is asked for what no night has published yet. Retrying helps after a good night."""


class InvalidCursorError(ParameterError):
    """Raised when a cursor is not the API's own, or was written for another question. Retrying does not help."""


class CursorExpiredError(NightlakeError):
    """Raised when the snapshot that a cursor pages through was deleted. Ask again from the first page."""


class AnswerTooCostlyError(NightlakeError):
    """Raised when an answer needs more data than one request may read or send. Ask for less at a time."""


class ReportNotFoundError(ParameterError):
    """Raised when the API is asked for a report that there is not, or not of that date. Retrying does not help."""


class QueryNotFoundError(NightlakeError):
    """Raised when the API is asked for a query that its caller has not submitted. Retrying does not help."""


class QueryUnfinishedError(NightlakeError):
    """Raised when the API is asked for the result of a query that is under way. Retrying helps when it has ended."""


class QueryEndedError(NightlakeError):
    """Raised when the API is asked to cancel a query that has ended. Retrying does not help."""


class QueryCancelledError(NightlakeError):
    """Raised when the API is asked for the result of a query that somebody stopped. Submit it again."""


class QueryTooCostlyError(NightlakeError):
    """Raised when a query of the API would have scanned more bytes than its workgroup allows. Ask for less."""


class QueryExpiredError(NightlakeError):
    """Raised when the result of a query of the API is no longer kept. Submit it again."""


class ReportQueryFailedError(NightlakeError):
    """Raised when a report that the API asked of Athena failed there. Mend its values or its SQL."""


class TooManyQueriesError(NightlakeError):
    """Raised when a caller of the API, or the account, has as many queries under way as it may. Retrying helps."""


class RowNotFoundError(NightlakeError):
    """Raised when the API is asked for a row whose key the dataset does not have, or not on that day.

    Retrying helps once a night has published it.
    """


class RunNotFoundError(NightlakeError):
    """Raised when the API is asked for a run that has left no record. Retrying helps while the run is going on."""


class PageNotFoundError(NightlakeError):
    """Raised when the API is asked for the page of a pipeline or day that there is none of. Retrying does not help."""


class SecretUnreadableError(NightlakeError):
    """Raised when Secrets Manager refuses a secret or does not answer. Lambda's asynchronous retry can help."""


class InvalidWebhookError(NightlakeError):
    """Raised when a webhook's secret is missing or is not an https URL. Put the URL into the secret."""


class WebhookUnreachableError(NightlakeError):
    """Raised when a webhook does not answer, is busy or fails (429, 5xx). Lambda's asynchronous retry can help."""


class WebhookRefusedError(NightlakeError):
    """Raised when a webhook refuses a message (3xx, 4xx) and its secret holds no newer URL. Retrying does not help."""


class InteractionsUnusableError(NightlakeError):
    """Raised when nothing can be learned from rows: no such column, or none says who had what. Mend model.yaml."""
