-- How the lists did on what was heard afterwards, beside what is popular: the scored days among the last ninety.
-- A day on which too little was new to judge by has no precision. `expected_precision` is what the version was promoted
-- with; `shift` says how far listening has moved since, from 0 to 1.
-- plot: line x=scored_on y=precision,popularity_precision,expected_precision
SELECT
  scored_on,
  model_version,
  precision,
  popularity_precision,
  expected_precision,
  recall,
  ndcg,
  mean_average_precision,
  new_listens,
  shift,
  age_days,
  drifted
FROM daily_model
WHERE scored_on BETWEEN DATE '2000-01-01' - INTERVAL '89' DAY AND DATE '2000-01-01'
ORDER BY scored_on
