-- The published days among the last thirty: how many listens there were, and how many came since the day before.
-- A day that has far fewer new ones than its neighbours tells of an app, or of an API, that is not well.
-- plot: line x=read_on y=new_listens
SELECT
  read_on,
  listens,
  listens - LAG(listens) OVER (ORDER BY read_on) AS new_listens,
  listeners,
  tracks,
  hours,
  favorite_genre_percent
FROM daily_listening
WHERE read_on BETWEEN DATE '2000-01-01' - INTERVAL '29' DAY AND DATE '2000-01-01'
ORDER BY read_on
