-- The accounts as they were read last, without who they are.
CREATE OR REPLACE VIEW current_listeners AS
SELECT
  user_id,
  favorite_genre,
  created_at,
  updated_at,
  CAST(year || '-' || month || '-' || day AS date) AS read_on
FROM listeners
WHERE year || month || day = (SELECT MAX(year || month || day) FROM listeners)
