-- The catalogue as it was read last.
CREATE OR REPLACE VIEW current_tracks AS
SELECT
  track_id,
  name,
  artist,
  songwriters,
  duration_seconds,
  COALESCE(genre, 'unknown') AS genre,
  album,
  created_at,
  updated_at,
  CAST(year || '-' || month || '-' || day AS date) AS read_on
FROM tracks
WHERE year || month || day = (SELECT MAX(year || month || day) FROM tracks)
