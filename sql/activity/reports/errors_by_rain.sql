-- Whether more goes wrong when it rains: the day's hours, by how much fell in them.
-- plot: bar x=rain y=error_percent
WITH hours AS (
  SELECT
    requests,
    errors,
    CASE
      WHEN precipitation IS NULL THEN 'unknown'
      WHEN precipitation = 0 THEN 'dry'
      WHEN precipitation < 2.5 THEN 'light rain'
      ELSE 'heavy rain'
    END AS rain,
    COALESCE(precipitation, -1) AS fell
  FROM hourly_activity
  WHERE year = '2000' AND month = '01' AND day = '01'
)
SELECT
  rain,
  COUNT(*) AS hours,
  SUM(requests) AS requests,
  SUM(errors) AS errors,
  CAST(DECIMAL '100.00' * SUM(errors) / SUM(requests) AS decimal(5, 2)) AS error_percent
FROM hours
GROUP BY rain
ORDER BY MIN(fell)
