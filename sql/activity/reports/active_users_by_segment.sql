-- Who used the application: on the day, and on the published days of the week that it ends.
WITH asked AS (
  SELECT
    segment,
    user_id,
    is_error,
    CAST(year || '-' || month || '-' || day AS date) = DATE '2000-01-01' AS on_the_day
  FROM activity_enriched
  WHERE CAST(year || '-' || month || '-' || day AS date) BETWEEN DATE '2000-01-01' - INTERVAL '6' DAY
    AND DATE '2000-01-01'
    AND is_known_user
)
SELECT
  segment,
  COUNT(DISTINCT IF(on_the_day, user_id)) AS users,
  COUNT(DISTINCT user_id) AS users_in_week,
  COUNT_IF(on_the_day) AS requests,
  CAST(
    DECIMAL '1.00' * COUNT_IF(on_the_day) / NULLIF(COUNT(DISTINCT IF(on_the_day, user_id)), 0) AS decimal(12, 2)
  ) AS requests_per_user,
  COUNT(DISTINCT IF(on_the_day AND is_error, user_id)) AS users_with_errors
FROM asked
GROUP BY segment
ORDER BY users DESC, segment
