-- What each version of the model scored until now, the newest version first, and how it did meanwhile.
-- plot: none
SELECT
  model_version,
  MIN(scored_on) AS first_scored_on,
  MAX(scored_on) AS last_scored_on,
  COUNT(*) AS days,
  COUNT(precision) AS judged_days,
  CAST(AVG(precision) AS decimal(9, 4)) AS precision,
  CAST(AVG(popularity_precision) AS decimal(9, 4)) AS popularity_precision,
  CAST(MAX(expected_precision) AS decimal(9, 4)) AS expected_precision,
  CAST(MAX(shift) AS decimal(9, 4)) AS greatest_shift,
  COUNT_IF(drifted) AS drifted_days
FROM daily_model
WHERE scored_on <= DATE '2000-01-01'
GROUP BY model_version
ORDER BY model_version DESC
