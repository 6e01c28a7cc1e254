-- What became of the vouchers, by website: redeemed ones were used, and paid to the supplier later on.
-- plot: none
WITH issued AS (
  SELECT
    website,
    COALESCE(voucher_status, 'NOT TOLD') AS outcome,
    voucher_status IN ('USED', 'PAID_TO_SUPPLIER') AS is_redeemed
  FROM current_orders
  WHERE voucher_id IS NOT NULL
    AND order_date < DATE '2000-01-01' + INTERVAL '1' DAY
)
SELECT
  website,
  outcome,
  COUNT(*) AS vouchers,
  CAST(DECIMAL '100.00' * COUNT(*) / SUM(COUNT(*)) OVER (PARTITION BY website) AS decimal(5, 2)) AS share_percent,
  CAST(
    DECIMAL '100.00' * SUM(COUNT_IF(is_redeemed)) OVER (PARTITION BY website)
    / SUM(COUNT(*)) OVER (PARTITION BY website) AS decimal(5, 2)
  ) AS website_redeemed_percent
FROM issued
GROUP BY website, outcome
ORDER BY website, vouchers DESC, outcome
