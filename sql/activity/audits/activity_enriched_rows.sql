-- Every row of app_logs is there once: answers the keys that a join lost, or made more of.
SELECT log_id, SUM(copies) AS surplus
FROM (
  SELECT log_id, 1 AS copies
  FROM activity_enriched
  UNION ALL
  SELECT log_id, -1 AS copies
  FROM app_logs
  WHERE year = '2000' AND month = '01' AND day = '01'
) AS both
GROUP BY log_id
HAVING SUM(copies) <> 0
