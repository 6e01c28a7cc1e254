-- Every row of app_logs once, with what is known of its user and the weather of its city in its hour.
-- Left joins: a request whose user or weather nobody knows must not disappear; the flags say what is missing.
-- A row that came late is of an older day than the weather that came with it, and goes to the day it belongs to.
CREATE TABLE activity_enriched AS
SELECT
  l.log_id,
  l.logged_at,
  DATE_TRUNC('hour', l.logged_at) AS logged_hour,
  l.level,
  l.level IN ('error', 'fatal') AS is_error,
  l.service,
  l.city,
  l.status,
  l.latency_ms,
  l.trace_id,
  l.message,
  l.user_id,
  COALESCE(u.segment, CASE WHEN l.user_id IS NULL THEN 'anonymous' ELSE 'unknown' END) AS segment,
  u.home_city,
  u.signed_up_at,
  u.user_id IS NOT NULL AS is_known_user,
  w.temperature,
  w.humidity,
  w.precipitation,
  w.wind_speed,
  w.city IS NOT NULL AS is_known_weather,
  l._run_id,
  l._loaded_at,
  l._source,
  l._position,
  DATE_FORMAT(l.logged_at, '%Y') AS year,
  DATE_FORMAT(l.logged_at, '%m') AS month,
  DATE_FORMAT(l.logged_at, '%d') AS day
FROM app_logs AS l
LEFT JOIN users AS u
  ON u.user_id = l.user_id
  AND u.year = '2000' AND u.month = '01' AND u.day = '01'
LEFT JOIN weather AS w
  ON w.city = l.city
  AND w.observed_at = DATE_TRUNC('hour', l.logged_at)
  AND w.year = '2000' AND w.month = '01' AND w.day = '01'
WHERE l.year = '2000' AND l.month = '01' AND l.day = '01'
