-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, key
FROM
(
    SELECT arrayJoin(keys) AS key
    FROM
    (
        SELECT mapKeys(attrs) AS keys
        FROM {db}.spans
        ORDER BY start DESC
        LIMIT 20000
    )
    UNION ALL
    SELECT arrayJoin(mapKeys(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes'))) AS key
    FROM {db}.origins
)
GROUP BY key
ORDER BY count() DESC
LIMIT 1000
