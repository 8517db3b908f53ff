-- Keys of the newest spans' attributes, and of resources.
SELECT {mark}, key
FROM
(
    SELECT arrayJoin(keys) AS key
    FROM
    (
        SELECT mapKeys(attrs) AS keys
        FROM {db}.spans
        ORDER BY start DESC
        LIMIT {spans_max}
    )
    UNION ALL
    SELECT arrayJoin(mapKeys(tupleElement({resource}, 'attributes'))) AS key
    FROM {db}.origins
)
GROUP BY key
ORDER BY count() DESC
LIMIT {names_max}
