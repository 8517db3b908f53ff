-- p0 = 1000
-- p1 = 2000
-- p2 = 'k'
-- p3 = 'k'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT DISTINCT {mark}, tupleElement(pair, 2) AS value
FROM
(
    SELECT arrayJoin(arrayConcat(
        arrayZip(mapKeys(own), mapValues(own)),
        arrayFlatten(arrayMap(event -> arrayZip(
            mapKeys(CAST(tupleElement(event, 'attributes'), 'Map(String, String)') AS map_of_event),
            mapValues(map_of_event)), events)),
        arrayFlatten(arrayMap(link -> arrayZip(
            mapKeys(CAST(tupleElement(link, 'attributes'), 'Map(String, String)') AS map_of_link),
            mapValues(map_of_link)), links)))) AS pair
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS own, events, links
        FROM {db}.spans
        WHERE start >= {p0:UInt64} AND start <= {p1:UInt64}
    )
    UNION ALL
    SELECT arrayJoin(arrayConcat(
        arrayZip(mapKeys(of_resource), mapValues(of_resource)),
        arrayZip(mapKeys(of_scope), mapValues(of_scope)))) AS pair
    FROM
    (
        SELECT tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes') AS of_resource,
            tupleElement(CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), dropped UInt32, schema_url String)'), 'attributes') AS of_scope
        FROM {db}.origins
    )
)
WHERE tupleElement(pair, 1) IN ({p2:String}, {p3:String})
    AND substring(tupleElement(pair, 2), 1, 1) IN ('*', '2');

-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\x07{"a":1}'
-- p3 = 'k'
-- p4 = b'\n\x07{"a":1}'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String})]) AND arrayExists((k, v) -> k = {p3:String} AND has([unhex({p4:String})], v), mapKeys(attrs), mapValues(attrs))))
ORDER BY start DESC
LIMIT 100
