-- Attributes of the newest matching spans, most frequent first.
SELECT {mark}, tupleElement(pair, 1) AS key, any(tupleElement(pair, 2)) AS said, count() AS spans
FROM
(
    {with}SELECT attrs
    FROM {db}.spans
    WHERE {where}
    ORDER BY start DESC
    LIMIT {spans_max}
)
ARRAY JOIN arrayZip(mapKeys(attrs), arrayMap(v -> substring(v, 1, 1), mapValues(attrs))) AS pair
GROUP BY key
ORDER BY spans DESC, key
LIMIT {values_max}
