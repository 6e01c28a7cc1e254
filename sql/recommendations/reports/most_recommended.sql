-- The fifty tracks in most lists, with their place among what is popular: a model that only says what everybody hears
-- would show it here.
-- plot: none
WITH tracks AS (
  SELECT
    track_id,
    MAX(name) AS track,
    MAX(artist) AS artist,
    COUNT(*) AS lists,
    CAST(AVG(CAST(rank AS decimal(18, 2))) AS decimal(9, 2)) AS average_rank
  FROM recommendations
  WHERE year = '2000' AND month = '01' AND day = '01'
  GROUP BY track_id
),
everybody AS (
  SELECT COUNT(DISTINCT user_id) AS listeners
  FROM recommendations
  WHERE year = '2000' AND month = '01' AND day = '01'
)
SELECT
  t.track_id,
  t.track,
  t.artist,
  t.lists,
  CAST(DECIMAL '100.00' * t.lists / e.listeners AS decimal(5, 2)) AS lists_percent,
  t.average_rank,
  p.rank AS popularity_rank
FROM tracks AS t
CROSS JOIN everybody AS e
LEFT JOIN popular_tracks AS p
  ON p.track_id = t.track_id
  AND p.genre = '*'
  AND p.year = '2000' AND p.month = '01' AND p.day = '01'
ORDER BY t.lists DESC, t.track_id
LIMIT 50
