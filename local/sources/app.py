"""An application's database: its log table in a PostgreSQL, who may read it, and as many rows of a day as wanted.

Rows are made by the server itself from hashes of their number: the same for the same day, at any size, in no time.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from local.sources.postgres import Server

DATABASE = "app"
READER = "nightlake_reader"
USERS = 2000
"""Users of the application have the numbers from 1 to this one; a few rows name others."""
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
CITIES = ("Newark", "New York", "Long Beach")

_SCHEMA = """
    DO $$ BEGIN
      CREATE TYPE log_level AS ENUM ('debug', 'info', 'warning', 'error', 'fatal');
    EXCEPTION WHEN duplicate_object THEN NULL; END $$;

    CREATE TABLE IF NOT EXISTS app_logs (
      id bigint PRIMARY KEY,
      logged_at timestamptz NOT NULL,
      level log_level NOT NULL,
      service text NOT NULL,
      city text NOT NULL,
      user_id bigint,
      status smallint NOT NULL,
      latency_ms numeric(10, 3) NOT NULL,
      trace_id uuid NOT NULL,
      message text NOT NULL,
      attributes jsonb,
      tags text[]
    );
    CREATE INDEX IF NOT EXISTS app_logs_logged_at ON app_logs (logged_at);
"""

# chance(k) is a number in [0, 1) of the row and of k; an hour's `trouble` raises its share of errors.
_ROWS = """
    INSERT INTO app_logs
    WITH numbered AS (
      SELECT
        number,
        %(day)s::timestamptz + (number + chance[1]) / %(rows)s * interval '86399.99 s' AS logged_at,
        chance
      FROM generate_series(0, %(rows)s - 1) AS number,
      LATERAL (
        SELECT array_agg(
          (hashint8extended(%(first_id)s + number, kind) & 2147483647) / 2147483648.0::float8 ORDER BY kind
        ) AS chance
        FROM generate_series(1, 8) AS kind
      ) AS chances
    ),
    judged AS (
      SELECT
        *,
        (%(cities)s::text[])[1 + floor(chance[2] * %(city_count)s)::int] AS city,
        (ARRAY['gateway', 'gateway', 'gateway', 'search', 'search', 'accounts', 'checkout', 'media'])[
          1 + floor(chance[3] * 8)::int
        ] AS service
      FROM numbered
    ),
    levelled AS (
      SELECT
        judged.*,
        CASE
          WHEN chance[4] < 0.0005 THEN 'fatal'
          WHEN chance[4] < 0.01 + coalesce(trouble.share, 0) THEN 'error'
          WHEN chance[4] < 0.05 + coalesce(trouble.share, 0) THEN 'warning'
          WHEN chance[4] < 0.85 THEN 'info'
          ELSE 'debug'
        END AS level
      FROM judged
      LEFT JOIN unnest(%(trouble_cities)s::text[], %(trouble_hours)s::int[], %(trouble_shares)s::float8[])
        AS trouble (city, hour, share)
        ON trouble.city = judged.city AND trouble.hour = extract(hour FROM logged_at AT TIME ZONE 'UTC')
    )
    SELECT
      %(first_id)s + number,
      logged_at,
      level::log_level,
      service,
      city,
      CASE WHEN chance[5] < 0.9 THEN 1 + floor(pow(chance[6], 2) * %(users)s * 1.01)::bigint END,
      CASE level
        WHEN 'fatal' THEN 503
        WHEN 'error' THEN CASE WHEN chance[7] < 0.7 THEN 500 ELSE 504 END
        WHEN 'warning' THEN CASE WHEN chance[7] < 0.6 THEN 404 ELSE 429 END
        ELSE CASE WHEN chance[7] < 0.9 THEN 200 ELSE 204 END
      END,
      round((5 + 40 * -ln(1 - chance[8]) * CASE level WHEN 'error' THEN 20 ELSE 1 END)::numeric, 3),
      md5(%(first_id)s + number || '/trace')::uuid,
      CASE level
        WHEN 'error' THEN E'Traceback (most recent call last):\\n  File "' || service || E'.py", line '
          || floor(chance[7] * 900)::int || E'\\nTimeoutError: "upstream" gave no answer; path C:\\\\' || service
        WHEN 'debug' THEN service || E'\\tcache hit, naïve key ü' || floor(chance[6] * 99)::int
        ELSE service || ' answered ' || CASE WHEN chance[7] < 0.5 THEN 'GET' ELSE 'POST' END || ' /v1/' || service
          || '/' || floor(chance[6] * 10000)::int || ', as usual'
      END,
      CASE WHEN chance[7] < 0.8 THEN jsonb_build_object(
        'region', lower(replace(city, ' ', '-')),
        'retries', floor(chance[7] * 4)::int,
        'build', '2.' || floor(chance[1] * 20)::int || '.' || floor(chance[2] * 9)::int
      ) END,
      CASE
        WHEN chance[6] < 0.5 THEN NULL
        WHEN chance[6] < 0.6 THEN ARRAY[]::text[]
        ELSE ARRAY[service, CASE WHEN chance[8] < 0.5 THEN 'canary' ELSE 'a "quoted", tag' END]
      END
    FROM levelled
"""


def create(server: Server) -> dict[str, Any]:
    """Make the database with its table and its reading role, where they are missing.

    Returns the secret with which the lake reads it: host, port, dbname, username, password, sslmode.
    """
    from psycopg import sql

    password = _password(server)
    with server.connect() as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", (DATABASE,)).rowcount:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (READER,)).rowcount:
            connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(READER)))
        # So that it sees since when others' transactions have been open.
        connection.execute(sql.SQL("GRANT pg_read_all_stats TO {}").format(sql.Identifier(READER)))
    with server.connect(DATABASE) as connection:
        connection.execute(_SCHEMA)
        connection.execute(sql.SQL("GRANT SELECT ON app_logs TO {}").format(sql.Identifier(READER)))
    return rotate(server, password)


def rotate(server: Server, password: str) -> dict[str, Any]:
    """Give the reading role another password; returns the secret that holds it."""
    from psycopg import sql

    role = sql.Identifier(READER)
    with server.connect() as connection:
        connection.execute(sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(role, sql.Literal(password)))
        connection.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(role))
    return {
        "host": server.host,
        "port": server.port,
        "dbname": DATABASE,
        "username": READER,
        "password": password,
        "sslmode": "disable" if server.host in _LOOPBACK else "verify-full",
    }


def fill(server: Server, day: date, rows: int, *, trouble: Mapping[tuple[str, int], float] | None = None) -> bool:
    """Let the day have exactly these rows. False when it has as many already: those are left as they are.

    Args:
        server: where `create` was called.
        day: in UTC.
        rows: how many, evenly over the day.
        trouble: by city and hour, how much more of its rows are errors, 0 to 0.9.
    """
    from psycopg import ClientCursor

    hours = trouble or {}
    bounds = (f"{day}T00:00:00Z", f"{day + timedelta(days=1)}T00:00:00Z")
    values = {
        "day": bounds[0],
        "rows": rows,
        "first_id": (day - date(1970, 1, 1)).days * 1_000_000_000,
        "users": USERS,
        "cities": list(CITIES),
        "city_count": len(CITIES),
        "trouble_cities": [city for city, _ in hours],
        "trouble_hours": [hour for _, hour in hours],
        "trouble_shares": [float(share) for share in hours.values()],
    }
    of_the_day = "FROM app_logs WHERE logged_at >= %s AND logged_at < %s"
    with server.connect(DATABASE) as connection:
        found = connection.execute(f"SELECT count(*) {of_the_day}", bounds).fetchone()
        if found == (rows,):
            return False
        with connection.transaction(), ClientCursor(connection) as cursor:
            cursor.execute(f"DELETE {of_the_day}", bounds)
            cursor.execute(_ROWS, values)
        connection.execute("VACUUM (ANALYZE) app_logs")
    return True


def _password(server: Server) -> str:
    """The role's first password: known again from the superuser's, so that nothing else has to be kept."""
    return hmac.new(server.password.encode(), READER.encode(), hashlib.sha256).hexdigest()
