-- Traces as one TracesData message, behind its length. A resource and a scope are texts of tuples.
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
        SELECT
            {resource} AS origin,
            groupArray((
                (
                    tupleElement(library, 1), tupleElement(library, 2), tupleElement(library, 3),
                    tupleElement(library, 4)
                ),
                spans,
                tupleElement(library, 5))) AS scopes
        FROM
        (
            SELECT
                resource,
                {scope} AS library,
                groupArray((
                    {span})) AS spans
            FROM
            (
                SELECT *
                FROM {db}.spans
                WHERE {where}
                ORDER BY start, span_id
            )
            GROUP BY resource, scope
        )
        GROUP BY resource
    )
)
