-- The histories as they were read last. A listen has the same `listen_id` on every day that has it.
CREATE OR REPLACE VIEW current_listens AS
SELECT
  SUBSTR(
    TO_HEX(
      SHA256(
        TO_UTF8(
          CAST(user_id AS varchar) || '/' || CAST(created_at AS varchar) || '/' || CAST(position AS varchar)
          || '/' || CAST(track_id AS varchar)
        )
      )
    ),
    1,
    32
  ) AS listen_id,
  user_id,
  created_at,
  position,
  track_id,
  updated_at,
  CAST(year || '-' || month || '-' || day AS date) AS read_on
FROM listens
WHERE year || month || day = (SELECT MAX(year || month || day) FROM listens)
