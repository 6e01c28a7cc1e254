-- The money is the same to the cent, counted apart from the keys; IS DISTINCT FROM also sees a sum of no rows.
SELECT enriched.revenue AS revenue, source.revenue AS expected
FROM (SELECT SUM(sales_value) AS revenue FROM sales_enriched) AS enriched
CROSS JOIN (
  SELECT SUM(sales_value) AS revenue
  FROM transactions
  WHERE year = '2000' AND month = '01' AND day = '01'
) AS source
WHERE enriched.revenue IS DISTINCT FROM source.revenue
