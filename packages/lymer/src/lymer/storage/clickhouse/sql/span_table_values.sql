-- Attributes with a value that several spans have, the most frequent first.
SELECT {mark}, cityHash64(key, value) AS pair, any(key), any(value)
FROM
(
    SELECT toString(key) AS key, value
    FROM {db}.spans
    ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
    WHERE {where}
)
GROUP BY pair
HAVING count() >= {spans_min}
ORDER BY count() DESC
LIMIT {pairs_max}
