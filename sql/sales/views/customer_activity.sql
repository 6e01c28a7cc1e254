-- One row per household that ever paid: since when, how often, how much.
CREATE OR REPLACE VIEW customer_activity AS
SELECT
  customer_id,
  -- Known from the first day on that the programme told of it.
  BOOL_OR(is_known_customer) AS is_known_customer,
  MIN(CAST(year || '-' || month || '-' || day AS date)) AS first_bought_on,
  MAX(CAST(year || '-' || month || '-' || day AS date)) AS last_bought_on,
  COUNT(DISTINCT basket_id) AS baskets,
  CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue
FROM sales_enriched
GROUP BY customer_id
