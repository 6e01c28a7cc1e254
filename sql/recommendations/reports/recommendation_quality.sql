-- How much of what was heard since the version was trained its lists had, beside what is popular, and beside what it was
-- promoted with: the scored days among the last ninety. Where too little was new to judge by, there is nothing. Precision
-- is as low as few listens are new. The shift says how far listening has moved, from 0 to 1.
-- plot: line x=scored_on y=recall,popularity_recall,expected_recall
SELECT
  scored_on,
  model_version,
  recall,
  popularity_recall,
  expected_recall,
  precision,
  popularity_precision,
  ndcg,
  mean_average_precision,
  new_listens,
  shift,
  age_days,
  drifted
FROM daily_model
WHERE scored_on BETWEEN DATE '2000-01-01' - INTERVAL '89' DAY AND DATE '2000-01-01'
ORDER BY scored_on
