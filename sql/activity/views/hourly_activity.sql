-- One row per city and hour of the published days: what was asked, what went wrong, and the weather.
CREATE OR REPLACE VIEW hourly_activity AS
SELECT
  city,
  logged_hour,
  COUNT(*) AS requests,
  COUNT_IF(is_error) AS errors,
  CAST(DECIMAL '100.00' * COUNT_IF(is_error) / COUNT(*) AS decimal(5, 2)) AS error_percent,
  COUNT(DISTINCT user_id) AS users,
  CAST(AVG(latency_ms) AS decimal(12, 3)) AS average_latency_ms,
  -- The weather is that of the hour: of rows that came late it is not known.
  MAX(temperature) AS temperature,
  MAX(precipitation) AS precipitation,
  MAX(wind_speed) AS wind_speed,
  -- The keys again, as a filter on them reads the files of those days only.
  year,
  month,
  day
FROM activity_enriched
GROUP BY city, logged_hour, year, month, day
