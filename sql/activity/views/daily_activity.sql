-- One row per published day: how much the application was used, and how well it answered.
CREATE OR REPLACE VIEW daily_activity AS
SELECT
  CAST(year || '-' || month || '-' || day AS date) AS logged_on,
  COUNT(*) AS requests,
  COUNT_IF(is_error) AS errors,
  CAST(DECIMAL '100.00' * COUNT_IF(is_error) / COUNT(*) AS decimal(5, 2)) AS error_percent,
  COUNT(DISTINCT user_id) AS users,
  COUNT_IF(user_id IS NULL) AS anonymous_requests,
  CAST(AVG(latency_ms) AS decimal(12, 3)) AS average_latency_ms,
  year,
  month,
  day
FROM activity_enriched
GROUP BY year, month, day
