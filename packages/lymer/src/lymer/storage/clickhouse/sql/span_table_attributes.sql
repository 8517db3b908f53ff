-- Which span has which of the attributes of `span_table_values`.
SELECT {mark}, substring(trace_id, 9, 8)::FixedString(8), span_id,
    cityHash64(toString(key), value) AS pair
FROM {db}.spans
ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
WHERE {where} AND pair IN
(
    SELECT cityHash64(toString(key), value) AS pair
    FROM {db}.spans
    ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
    WHERE {where}
    GROUP BY pair
    HAVING count() >= {spans_min}
    ORDER BY count() DESC
    LIMIT {pairs_max}
)
