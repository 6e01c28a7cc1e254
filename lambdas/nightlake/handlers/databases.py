"""The databases that a function knows by name."""

from functools import cache

from nightlake.adapters.postgres import Postgres
from nightlake.adapters.secretsmanager import Secrets
from nightlake.core.errors import DatabaseSecretError
from nightlake.handlers.settings import settings


@cache
def secrets() -> Secrets:
    """Remembered for the life of the function; a rotated one is read again where it is refused."""
    return Secrets()


def database(name: str) -> Postgres:
    """The database of that name. Raises DatabaseSecretError where the stage's settings have none."""
    address = settings().postgres.get(name)
    if address is None:
        known = ", ".join(sorted(settings().postgres)) or "none"
        raise DatabaseSecretError(
            f"The stage has no database {name!r} (it has: {known}); say in cdk.json where it is, then deploy"
        )
    return Postgres(name, address, secrets().read)
