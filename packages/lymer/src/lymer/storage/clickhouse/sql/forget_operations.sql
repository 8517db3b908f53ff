-- Operations of deleted spans of which nothing is left, neither a span nor a count.
ALTER TABLE {db}.operations DELETE WHERE (service, name, kind) IN
(
    SELECT service, name, kind FROM {db}.deleted_spans
    UNION ALL
    SELECT service, name, kind FROM {db}.deleted_long_spans
)
AND (service, name, kind) NOT IN
(
    SELECT service, name, kind FROM {db}.spans
)
AND (service, name, kind) NOT IN
(
    SELECT service, name, kind
    FROM {db}.red AS red
    WHERE batch >= {since}
    GROUP BY service, name, kind
    HAVING sum(red.calls) > 0
)
