-- A few products are sold before anybody describes them; more than one row in ten means that products came cut short.
SELECT COUNT(*) AS sold, COUNT_IF(NOT is_known_product) AS unknown
FROM sales_enriched
HAVING 10 * COUNT_IF(NOT is_known_product) > COUNT(*)
