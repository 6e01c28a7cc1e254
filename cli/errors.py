"""What can go wrong on the machine that a command runs on."""

from nightlake.core.errors import NightlakeError


class NotReadyError(NightlakeError):
    """The machine is not ready for the command: exit code 3. Its leaves say what to do."""


class ToolMissingError(NotReadyError):
    """A program that the command starts is not installed; installing it helps, a retry does not."""


class LocalAwsDownError(NotReadyError):
    """The command needs the local AWS and it is not running; `nightlake up` helps."""


class NotDeployedError(NotReadyError):
    """The command needs a deployed stack and there is none; `nightlake deploy` helps."""


class AwsUnreachableError(NotReadyError):
    """AWS cannot be asked: no region, no credentials, no network; its message says what to set."""


class AwsRefusedError(NightlakeError):
    """AWS answered with a refusal that the command did not expect: expired credentials, a missing right."""


class DeployFailedError(NightlakeError):
    """The CDK command line ended with an error; its own words were printed before."""


class PipelineUnknownError(NightlakeError):
    """The stage has no pipeline of that name; its message names those it has."""


class QueryRefusedError(NightlakeError):
    """Athena did not take the statement: it is malformed, or names a workgroup that is not there."""


class NoSeederError(NightlakeError):
    """There is no sample data for the pipeline; its message says what to land where."""


class FunctionFailedError(NightlakeError):
    """A function that the command invoked ended with an error that is not one of our named ones."""


class EmptyRangeError(NightlakeError):
    """A range of dates ends before it begins."""


class NeverRunError(NightlakeError):
    """A day is to be replayed and no night of it was ever run; running it helps."""


class NoPageError(NightlakeError):
    """A run left no page: it ended before runs left any, or its page could not be written, of which an alarm tells."""


class OutputTakenError(NightlakeError):
    """A folder that rows are to be written to holds files of somebody else."""


class DrawingFailedError(NightlakeError):
    """Graphviz did not take a graph; its own words are in the message. A defect of Nightlake: report it."""


class UnknownPictureError(NightlakeError):
    """A picture is asked for in a format that there is none of; its message says which there are."""


class NoModelError(NightlakeError):
    """What is asked for belongs to a model, and the pipeline has none."""


class VolumeUnknownError(NightlakeError):
    """Nothing says how much a night brings, or it is said of a source that there is not; its message says how."""


class NoKeysError(NightlakeError):
    """A key is asked for of an API whose callers are known by tokens or by AWS credentials."""


class KeyUnknownError(NightlakeError):
    """A key is to be revoked that there is not, or not any more; the message says which there are."""


class CredentialMissingError(NotReadyError):
    """The API is to be asked and nothing on this machine says who asks; its message says what to set."""


class ApiUnreachableError(NotReadyError):
    """The API of the stage does not answer at its address; `nightlake status` shows what is deployed."""


class TableUnreadableError(NightlakeError):
    """A file of this machine that a command reads is no table that it knows; its message says which there are."""
