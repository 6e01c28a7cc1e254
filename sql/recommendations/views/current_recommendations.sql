-- The lists as they were scored last.
CREATE OR REPLACE VIEW current_recommendations AS
SELECT
  user_id,
  rank,
  track_id,
  name,
  artist,
  score,
  model_version,
  CAST(year || '-' || month || '-' || day AS date) AS scored_on
FROM recommendations
WHERE year || month || day = (SELECT MAX(year || month || day) FROM recommendations)
