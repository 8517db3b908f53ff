-- The same as `otlp`, for resources and scopes that are large: grouped by hashes, for a key of a group
-- is written out in full for each row, and one row of each has the text. Three times the reading.
SELECT {mark}, formatRow('Protobuf', resource_spans) AS message
FROM
(
    SELECT groupArray(CAST(
        (
            (tupleElement(origin, 1), tupleElement(origin, 2), tupleElement(origin, 3)),
            scopes,
            tupleElement(origin, 4)
        ), '{type}')) AS resource_spans
    FROM
    (
        SELECT {resource} AS origin, scopes
        FROM
        (
            SELECT
                resource_hash,
                groupArray((
                    (
                        tupleElement(library, 1), tupleElement(library, 2),
                        tupleElement(library, 3), tupleElement(library, 4)
                    ),
                    spans,
                    tupleElement(library, 5))) AS scopes
            FROM
            (
                SELECT resource_hash, {scope} AS library, spans
                FROM
                (
                    SELECT
                        cityHash64(resource) AS resource_hash,
                        cityHash64(scope) AS scope_hash,
                        groupArray((
                            {span})) AS spans
                    FROM
                    (
                        SELECT *
                        FROM {db}.spans
                        WHERE {where}
                        ORDER BY start, span_id
                    )
                    GROUP BY resource_hash, scope_hash
                ) AS grouped
                INNER JOIN
                (
                    SELECT scope, cityHash64(scope) AS scope_hash
                    FROM {db}.spans
                    WHERE {where}
                    LIMIT 1 BY scope_hash
                ) AS scope_texts USING (scope_hash)
            )
            GROUP BY resource_hash
        ) AS told
        INNER JOIN
        (
            SELECT resource, cityHash64(resource) AS resource_hash
            FROM {db}.spans
            WHERE {where}
            LIMIT 1 BY resource_hash
        ) AS resource_texts USING (resource_hash)
    )
)
