-- What each version of the model scored until now, the newest version first, and how it did meanwhile.
-- plot: none
SELECT
  model_version,
  MIN(scored_on) AS first_scored_on,
  MAX(scored_on) AS last_scored_on,
  COUNT(*) AS days,
  COUNT(recall) AS judged_days,
  CAST(AVG(recall) AS decimal(9, 4)) AS recall,
  CAST(AVG(popularity_recall) AS decimal(9, 4)) AS popularity_recall,
  CAST(MAX(expected_recall) AS decimal(9, 4)) AS expected_recall,
  CAST(MAX(shift) AS decimal(9, 4)) AS greatest_shift,
  COUNT_IF(drifted) AS drifted_days
FROM daily_model
WHERE scored_on <= DATE '2000-01-01'
GROUP BY model_version
ORDER BY model_version DESC
