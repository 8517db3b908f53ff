-- The first matching spans: the newest, or the slowest.
{with}SELECT {mark}, trace_id, {key} AS rank
FROM {db}.spans
WHERE {where}
ORDER BY {key} DESC
LIMIT {spans_max}
