-- p0 = 'shop'
-- p1 = 'zone'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT DISTINCT {mark}, value
FROM
(
    SELECT arrayJoin(mapValues(mapFilter((k, v) -> k = {p1:String}, own))) AS value
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS own
        FROM {db}.spans
        WHERE service = {p0:String}
        ORDER BY start DESC
        LIMIT 20000
    )
    UNION ALL
    SELECT arrayJoin(mapValues(
        mapFilter((k, v) -> k = {p1:String}, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes')))) AS value
    FROM
    (
        SELECT resource, cityHash64(resource) AS resource_hash
        FROM
        (
            SELECT resource
            FROM {db}.spans
            WHERE service = {p0:String}
            ORDER BY start DESC
            LIMIT 20000
        )
        LIMIT 1 BY resource_hash
    )
)
LIMIT 1000
