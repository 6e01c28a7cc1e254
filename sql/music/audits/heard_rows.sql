-- Every listen of a known user to a known track is there once, and no other: answers what a join lost, or made more of.
SELECT user_id, created_at, position, SUM(copies) AS surplus
FROM (
  SELECT user_id, created_at, position, 1 AS copies
  FROM heard
  UNION ALL
  SELECT user_id, created_at, position, -1 AS copies
  FROM listens
  WHERE year = '2000' AND month = '01' AND day = '01'
    AND user_id IN (SELECT user_id FROM listeners WHERE year = '2000' AND month = '01' AND day = '01')
    AND track_id IN (SELECT track_id FROM tracks WHERE year = '2000' AND month = '01' AND day = '01')
) AS both
GROUP BY user_id, created_at, position
HAVING SUM(copies) <> 0
