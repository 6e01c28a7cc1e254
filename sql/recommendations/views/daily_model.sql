-- One row per scored day: which version scored, how it did, and what of the catalogue its lists show.
CREATE OR REPLACE VIEW daily_model AS
WITH lists AS (
  SELECT
    year,
    month,
    day,
    COUNT(*) AS places,
    COUNT(DISTINCT user_id) AS listeners,
    COUNT(DISTINCT track_id) AS tracks
  FROM recommendations
  GROUP BY year, month, day
)
SELECT
  CAST(m.year || '-' || m.month || '-' || m.day AS date) AS scored_on,
  m.model_version,
  m.users,
  m.items,
  m.new_listens,
  m.precision,
  m.recall,
  m.ndcg,
  m.mean_average_precision,
  m.popularity_precision,
  m.popularity_recall,
  m.expected_recall,
  m.shift,
  m.age_days,
  m.drifted,
  l.listeners,
  l.tracks,
  CAST(DECIMAL '100.00' * l.tracks / NULLIF(m.items, 0) AS decimal(5, 2)) AS shown_percent,
  CAST(l.places / CAST(l.listeners AS decimal(18, 2)) AS decimal(9, 2)) AS tracks_of_a_list,
  m.year,
  m.month,
  m.day
FROM model_metrics AS m
INNER JOIN lists AS l ON l.year = m.year AND l.month = m.month AND l.day = m.day
