-- The accounts as they were delivered last.
CREATE OR REPLACE VIEW current_users AS
SELECT
  user_id,
  segment,
  COALESCE(home_city, 'unknown') AS home_city,
  signed_up_at,
  wants_news,
  paid_total,
  CAST(year || '-' || month || '-' || day AS date) AS delivered_on
FROM users
WHERE year || month || day = (SELECT MAX(year || month || day) FROM users)
