-- The names behind the numbers.
SELECT toString(service) AS service, {number} AS number
FROM
(
    SELECT DISTINCT service
    FROM {db}.spans
    WHERE seg > {lookback} AND seg <= {upto}
)
