-- A few listens are of accounts that were closed, or of tracks that were withdrawn; more than one in twenty means that
-- accounts or tracks came cut short, and nothing may be learned from such a day.
SELECT listens.rows AS listens, heard.rows AS heard
FROM (
  SELECT COUNT(*) AS rows
  FROM listens
  WHERE year = '2000' AND month = '01' AND day = '01'
) AS listens
CROSS JOIN (
  SELECT COUNT(*) AS rows
  FROM heard
) AS heard
WHERE 20 * (listens.rows - heard.rows) > listens.rows
