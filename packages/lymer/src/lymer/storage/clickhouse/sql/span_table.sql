-- Spans as rows of one size; names are hashes, which `span_table_names` explains.
SELECT {mark}, trace_id, span_id, parent_span_id, start, duration, kind, status,
    cityHash64(service, name), cityHash64(resource)
FROM {db}.spans
WHERE {where}
