-- Every listen of a known user to a known track, with what is known of both.
-- Inner joins: who reads what was heard wants neither strangers nor tracks without a name; an audit counts what is left out.
CREATE TABLE heard AS
SELECT
  l.user_id,
  l.created_at,
  l.position,
  l.track_id,
  t.name AS track,
  t.artist,
  COALESCE(t.genre, 'unknown') AS genre,
  t.duration_seconds,
  u.favorite_genre,
  COALESCE(t.genre = u.favorite_genre, FALSE) AS is_favorite_genre,
  l.updated_at,
  l._run_id,
  l._loaded_at,
  l._source,
  l._position,
  l.year,
  l.month,
  l.day
FROM listens AS l
INNER JOIN listeners AS u
  ON u.user_id = l.user_id
  AND u.year = '2000' AND u.month = '01' AND u.day = '01'
INNER JOIN tracks AS t
  ON t.track_id = l.track_id
  AND t.year = '2000' AND t.month = '01' AND t.day = '01'
WHERE l.year = '2000' AND l.month = '01' AND l.day = '01'
