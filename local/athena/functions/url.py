"""URLs: https://trino.io/docs/current/functions/url.html."""

from local.athena.functions.registry import FUNCTIONS

for _part in ("protocol", "host", "path", "query", "fragment"):
    FUNCTIONS.scalar(f"url_extract_{_part}", "varchar(x) -> varchar(x)", f"nightlake_url('{_part}', {{0}})")
FUNCTIONS.scalar("url_extract_port", "varchar -> bigint", "CAST(nightlake_url('port', {0}) AS BIGINT)")
FUNCTIONS.scalar("url_extract_parameter", "varchar(x), varchar -> varchar(x)", "nightlake_url_parameter({0}, {1})")
FUNCTIONS.scalar("url_encode", "varchar -> varchar", "nightlake_url_encode({0})")
FUNCTIONS.scalar("url_decode", "varchar(x) -> varchar(x)", "nightlake_url_decode({0})")
