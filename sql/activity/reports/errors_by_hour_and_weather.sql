-- The day's errors, hour by hour and city by city, against the weather.
-- plot: line x=logged_hour y=errors by=city
SELECT
  city,
  logged_hour,
  requests,
  errors,
  error_percent,
  temperature,
  precipitation,
  wind_speed
FROM hourly_activity
WHERE year = '2000' AND month = '01' AND day = '01'
ORDER BY city, logged_hour
