-- The traces with the newest matching spans, of all that match.
SELECT {mark}, trace_id, max(start) AS newest
FROM {db}.spans
WHERE {where}
GROUP BY trace_id
ORDER BY newest DESC, trace_id
LIMIT {limit}
