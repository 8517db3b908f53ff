-- Values of a key on the newest spans, and in their resources.
SELECT DISTINCT {mark}, value
FROM
(
    SELECT arrayJoin(arrayConcat(
        mapValues(mapFilter((k, v) -> k = {key}, attrs)),
        mapValues(mapFilter((k, v) -> k = {key}, of_resource)))) AS value
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS attrs,
            tupleElement({resource}, 'attributes') AS of_resource
        FROM {db}.spans
        WHERE {of_service}
        ORDER BY start DESC
        LIMIT {spans_max}
    )
)
LIMIT {names_max}
