-- What discounts cost the store, and what was sold with each kind of them.
-- plot: bar x=discount y=revenue
WITH lines AS (
  SELECT
    CASE
      WHEN retail_disc > 0 AND coupon_disc + coupon_match_disc > 0 THEN 'card and coupon'
      WHEN retail_disc > 0 THEN 'card'
      WHEN coupon_disc + coupon_match_disc > 0 THEN 'coupon'
      ELSE 'none'
    END AS discount,
    sales_value,
    gross_value,
    -- What a manufacturer's coupon took off is paid by the manufacturer and costs the store nothing.
    coupon_disc
  FROM sales_enriched
  WHERE year = '2000' AND month = '01' AND day = '01'
)
SELECT
  discount,
  COUNT(*) AS lines,
  CAST(SUM(gross_value) AS decimal(18, 2)) AS gross_revenue,
  CAST(SUM(sales_value) AS decimal(18, 2)) AS revenue,
  CAST(SUM(gross_value) - SUM(sales_value) AS decimal(18, 2)) AS given_by_store,
  CAST(SUM(coupon_disc) AS decimal(18, 2)) AS given_by_manufacturers,
  CAST(
    100 * (SUM(gross_value) - SUM(sales_value)) / NULLIF(SUM(gross_value), 0) AS decimal(5, 2)
  ) AS discount_percent,
  CAST(100 * SUM(sales_value) / NULLIF(SUM(SUM(sales_value)) OVER (), 0) AS decimal(5, 2)) AS revenue_share_percent
FROM lines
GROUP BY discount
ORDER BY revenue DESC, discount
