"""The OpenAPI 3.1 document of the API: made from the contracts, so that what it promises is what the tables have."""

import re
from typing import Final

ROUTES: Final = (
    ("GET", "/v1/health"),
    ("GET", "/v1/datasets"),
    ("GET", "/v1/datasets/{name}"),
    ("GET", "/v1/datasets/{name}/rows"),
    ("GET", "/v1/reports"),
    ("GET", "/v1/reports/{name}"),
    ("GET", "/v1/reports/{name}/history"),
    ("POST", "/v1/queries"),
    ("GET", "/v1/queries/{query_id}"),
    ("GET", "/v1/queries/{query_id}/result"),
    ("GET", "/v1/pages/{pipeline}"),
    ("GET", "/v1/runs"),
    ("GET", "/v1/runs/{run_id}"),
    ("GET", "/v1/snapshots"),
)


def methods_of(path: str) -> list[str]:
    """The methods that a path of the API has; none where there is no such path."""
    wanted = path.rstrip("/")
    return [method for method, template in ROUTES if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), wanted)]
