-- Rates of the traces kept by chance that have spans in a window.
SELECT trace_id, rate
FROM {db}.tail_decisions
WHERE {chosen} AND trace_id IN (SELECT trace_id FROM {db}.spans WHERE {window})
ORDER BY trace_id, batch DESC
LIMIT 1 BY trace_id
