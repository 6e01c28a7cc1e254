-- One row per published day: how much had been listened to until then, and by whom.
CREATE OR REPLACE VIEW daily_listening AS
SELECT
  CAST(year || '-' || month || '-' || day AS date) AS read_on,
  COUNT(*) AS listens,
  COUNT(DISTINCT user_id) AS listeners,
  COUNT(DISTINCT track_id) AS tracks,
  CAST(SUM(duration_seconds) / DECIMAL '3600.0' AS decimal(18, 1)) AS hours,
  CAST(DECIMAL '100.00' * COUNT_IF(is_favorite_genre) / COUNT(*) AS decimal(5, 2)) AS favorite_genre_percent,
  year,
  month,
  day
FROM heard
GROUP BY year, month, day
