-- The spans of some traces, with what the walk needs to know of each. A span that was sent more than
-- once counts once.
{with}SELECT {mark}, trace_id, span_id, parent_span_id, start, duration,
    toUInt8((kind = 2) + 2 * (status = 2) + 4 * {arrays}) AS flags,
    toString(service) AS of_service,
    toString(name) AS of_name,
    {bits} AS bits{values}
FROM {db}.spans
WHERE {where}
LIMIT 1 BY trace_id, span_id, parent_span_id, service, name, kind, start, duration, status
LIMIT {spans_max}
