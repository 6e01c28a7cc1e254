-- How much people listen: users by the length of their history, those who have none among them.
-- plot: bar x=listens y=users
WITH histories AS (
  SELECT u.user_id, COUNT(h.user_id) AS listens
  FROM listeners AS u
  LEFT JOIN heard AS h
    ON h.user_id = u.user_id
    AND h.year = '2000' AND h.month = '01' AND h.day = '01'
  WHERE u.year = '2000' AND u.month = '01' AND u.day = '01'
  GROUP BY u.user_id
),
sized AS (
  SELECT
    listens AS heard,
    CASE
      WHEN listens = 0 THEN 'none'
      WHEN listens < 10 THEN '1 to 9'
      WHEN listens < 30 THEN '10 to 29'
      WHEN listens < 100 THEN '30 to 99'
      ELSE '100 and more'
    END AS listens
  FROM histories
)
SELECT
  listens,
  COUNT(*) AS users,
  CAST(DECIMAL '100.00' * COUNT(*) / SUM(COUNT(*)) OVER () AS decimal(5, 2)) AS users_percent,
  SUM(heard) AS all_listens
FROM sized
GROUP BY listens
ORDER BY MIN(heard)
