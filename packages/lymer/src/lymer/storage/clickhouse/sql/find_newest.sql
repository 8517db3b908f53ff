-- The newest matching spans.
SELECT {mark}, trace_id, start
FROM {db}.spans
WHERE {where}
ORDER BY start DESC
LIMIT {spans_max}
