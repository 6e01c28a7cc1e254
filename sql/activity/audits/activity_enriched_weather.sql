-- Every request of the day has the weather of its city and hour: answers the hours that have none.
-- Nothing is answered on a day without any weather, which the night was allowed to go on without.
SELECT city, logged_hour, COUNT(*) AS requests
FROM activity_enriched
WHERE NOT is_known_weather
  AND CAST(logged_at AS date) = DATE '2000-01-01'
  AND EXISTS (SELECT 1 FROM weather WHERE year = '2000' AND month = '01' AND day = '01')
GROUP BY city, logged_hour
