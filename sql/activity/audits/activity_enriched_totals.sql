-- Time and errors are the same to the last digit, counted apart from the keys; IS DISTINCT FROM also sees a sum of no rows.
SELECT
  enriched.latency_ms AS latency_ms,
  source.latency_ms AS expected_latency_ms,
  enriched.errors AS errors,
  source.errors AS expected_errors
FROM (
  SELECT SUM(latency_ms) AS latency_ms, COUNT_IF(is_error) AS errors
  FROM activity_enriched
) AS enriched
CROSS JOIN (
  SELECT SUM(latency_ms) AS latency_ms, COUNT_IF(level IN ('error', 'fatal')) AS errors
  FROM app_logs
  WHERE year = '2000' AND month = '01' AND day = '01'
) AS source
WHERE enriched.latency_ms IS DISTINCT FROM source.latency_ms
  OR enriched.errors <> source.errors
