-- p0 = 'shop'
-- p1 = 'zone'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT DISTINCT {mark}, value
FROM
(
    SELECT arrayJoin(arrayConcat(
        mapValues(mapFilter((k, v) -> k = {p1:String}, attrs)),
        mapValues(mapFilter((k, v) -> k = {p1:String}, of_resource)))) AS value
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS attrs,
            tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes') AS of_resource
        FROM {db}.spans
        WHERE service = {p0:String}
        ORDER BY start DESC
        LIMIT 20000
    )
)
LIMIT 1000
