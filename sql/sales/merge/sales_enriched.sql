-- Every row of transactions once, with what is known of its product and its customer.
-- Left joins: a product or a household that nobody described yet must not make revenue disappear.
CREATE TABLE sales_enriched AS
SELECT
  t.basket_id,
  t.product_id,
  t.customer_id,
  t.store_id,
  t.sold_at,
  t.week,
  COALESCE(p.department, 'unknown') AS department,
  COALESCE(p.product_category, 'unknown') AS product_category,
  COALESCE(p.product_type, 'unknown') AS product_type,
  COALESCE(p.brand, 'unknown') AS brand,
  p.product_id IS NOT NULL AS is_known_product,
  COALESCE(c.age, 'unknown') AS customer_age,
  COALESCE(c.household_size, 'unknown') AS household_size,
  COALESCE(c.household_comp, 'unknown') AS household_comp,
  COALESCE(c.kids_count, 'unknown') AS kids_count,
  c.customer_id IS NOT NULL AS is_known_customer,
  t.quantity,
  -- Net: what the store received. A manufacturer's coupon is part of it, the manufacturer pays for it.
  t.sales_value,
  -- Gross: what the shelf said. The store forgoes the loyalty card's discount and its own part of a coupon.
  t.sales_value + t.retail_disc + t.coupon_match_disc AS gross_value,
  t.retail_disc,
  t.coupon_disc,
  t.coupon_match_disc,
  t._run_id,
  t._loaded_at,
  t._source,
  t._position,
  t.year,
  t.month,
  t.day
FROM transactions AS t
LEFT JOIN products AS p
  ON p.product_id = t.product_id
  AND p.year = '2000' AND p.month = '01' AND p.day = '01'
LEFT JOIN customers AS c
  ON c.customer_id = t.customer_id
  AND c.year = '2000' AND c.month = '01' AND c.day = '01'
WHERE t.year = '2000' AND t.month = '01' AND t.day = '01'
