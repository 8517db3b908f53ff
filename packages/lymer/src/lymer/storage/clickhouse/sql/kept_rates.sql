-- Rates of the traces kept by chance that have spans in a window: its decisions say them all.
SELECT trace_id, rate
FROM {db}.tail_decisions
WHERE {chosen}
ORDER BY trace_id
LIMIT 1 BY trace_id
