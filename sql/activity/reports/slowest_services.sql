-- The services, slowest first. Percentiles are those of a sketch: a big day has too many rows to sort them.
-- plot: bar x=service y=p95_ms
SELECT
  service,
  COUNT(*) AS requests,
  COUNT_IF(is_error) AS errors,
  CAST(AVG(latency_ms) AS decimal(12, 3)) AS average_ms,
  ROUND(APPROX_PERCENTILE(CAST(latency_ms AS double), 0.5), 1) AS median_ms,
  ROUND(APPROX_PERCENTILE(CAST(latency_ms AS double), 0.95), 1) AS p95_ms,
  MAX(latency_ms) AS slowest_ms
FROM activity_enriched
WHERE year = '2000' AND month = '01' AND day = '01'
GROUP BY service
ORDER BY average_ms DESC, service
