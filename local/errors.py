"""What can go wrong with the local AWS and the outside world beside it."""

from nightlake.core.errors import NightlakeError


class LocalAwsError(NightlakeError):
    """What runs on this machine cannot be used as asked. Its leaves say why and what to do."""


class PortInUseError(LocalAwsError):
    """Another program listens on the port; ending it or choosing another port helps."""


class OtherModeError(LocalAwsError):
    """The local AWS already runs, in another mode or on another port; stopping it first helps."""


class StartFailedError(LocalAwsError):
    """The emulator ended, or did not answer, while it was started; its log says why."""


class EmulatorDiffersError(LocalAwsError):
    """The installed emulator is not the one the seams were written against; re-verifying local/seams.py helps."""


class DayNotSeedableError(LocalAwsError):
    """A sample's producer has no data of the day; another day helps."""


class DamageUnfitError(LocalAwsError):
    """A delivery cannot be broken in the way that was asked; another file or another damage helps."""


class PostgresFailedError(LocalAwsError):
    """The PostgreSQL of this machine could not be made, started or stopped; the message says what it said."""


class ServiceFailedError(LocalAwsError):
    """A stand-in for an API ended, or did not answer, while it was started; its log says why."""
