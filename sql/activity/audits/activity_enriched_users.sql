-- A few requests are of accounts that are newer than the file of users; more than one in twenty means it came cut short.
SELECT COUNT(*) AS signed_in, COUNT_IF(NOT is_known_user) AS unknown
FROM activity_enriched
WHERE user_id IS NOT NULL
HAVING 20 * COUNT_IF(NOT is_known_user) > COUNT(*)
