-- Values of a key on the newest spans, and in their resources, of which one row each is read: a text
-- of 1 MB may stand on all of them.
SELECT DISTINCT {mark}, value
FROM
(
    SELECT arrayJoin(mapValues(mapFilter((k, v) -> k = {key}, own))) AS value
    FROM
    (
        SELECT CAST(attrs, 'Map(String, String)') AS own
        FROM {db}.spans
        WHERE {of_service}
        ORDER BY start DESC
        LIMIT {spans_max}
    )
    UNION ALL
    SELECT arrayJoin(mapValues(
        mapFilter((k, v) -> k = {key}, tupleElement({resource}, 'attributes')))) AS value
    FROM
    (
        SELECT resource, cityHash64(resource) AS resource_hash
        FROM
        (
            SELECT resource
            FROM {db}.spans
            WHERE {of_service}
            ORDER BY start DESC
            LIMIT {spans_max}
        )
        LIMIT 1 BY resource_hash
    )
)
LIMIT {names_max}
