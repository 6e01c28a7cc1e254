-- How much of the catalogue the lists show, and to how many listeners: the scored days among the last ninety.
-- plot: line x=scored_on y=shown_percent
SELECT
  scored_on,
  model_version,
  listeners,
  tracks_of_a_list,
  tracks,
  items AS known_tracks,
  shown_percent
FROM daily_model
WHERE scored_on BETWEEN DATE '2000-01-01' - INTERVAL '89' DAY AND DATE '2000-01-01'
ORDER BY scored_on
