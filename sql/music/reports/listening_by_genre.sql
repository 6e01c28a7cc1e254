-- What is listened to: the genres, the most heard one first.
-- plot: bar x=genre y=listens
SELECT
  genre,
  COUNT(*) AS listens,
  COUNT(DISTINCT user_id) AS listeners,
  COUNT(DISTINCT track_id) AS tracks,
  CAST(DECIMAL '100.00' * COUNT(*) / SUM(COUNT(*)) OVER () AS decimal(5, 2)) AS share_percent,
  CAST(SUM(duration_seconds) / DECIMAL '3600.0' AS decimal(18, 1)) AS hours
FROM heard
WHERE year = '2000' AND month = '01' AND day = '01'
GROUP BY genre
ORDER BY listens DESC, genre
LIMIT 1000
