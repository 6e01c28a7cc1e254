-- Every row of transactions is there once: answers the keys that a join lost, or made more of.
SELECT basket_id, product_id, SUM(copies) AS surplus
FROM (
  SELECT basket_id, product_id, 1 AS copies
  FROM sales_enriched
  UNION ALL
  SELECT basket_id, product_id, -1 AS copies
  FROM transactions
  WHERE year = '2000' AND month = '01' AND day = '01'
) AS both
GROUP BY basket_id, product_id
HAVING SUM(copies) <> 0
