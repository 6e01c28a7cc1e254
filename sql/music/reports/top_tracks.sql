-- The fifty tracks that most people have listened to.
-- plot: none
SELECT
  ROW_NUMBER() OVER (ORDER BY COUNT(DISTINCT user_id) DESC, COUNT(*) DESC, track_id) AS rank,
  track_id,
  MAX(track) AS track,
  MAX(artist) AS artist,
  MAX(genre) AS genre,
  COUNT(DISTINCT user_id) AS listeners,
  COUNT(*) AS listens
FROM heard
WHERE year = '2000' AND month = '01' AND day = '01'
GROUP BY track_id
ORDER BY rank
LIMIT 50
