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
                    substring(trace_id, 1, 16),
                    substring(span_id, 1, 8),
                    toString(trace_state),
                    if(parent_span_id = toFixedString('', 8), '', substring(parent_span_id, 1, 8)),
                    toString(name),
                    kind,
                    start,
                    start + toUInt64(duration),
                    attrs,
                    dropped.attrs,
                    events,
                    dropped.events,
                    links,
                    dropped.links,
                    (toString(status_message), status),
                    flags)) AS spans
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
