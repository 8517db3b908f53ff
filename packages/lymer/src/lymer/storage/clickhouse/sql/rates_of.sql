-- Rates of some traces that were kept by chance.
SELECT trace_id, rate
FROM {db}.tail_rates
WHERE trace_id IN ({traces})
ORDER BY trace_id, batch DESC
LIMIT 1 BY trace_id
