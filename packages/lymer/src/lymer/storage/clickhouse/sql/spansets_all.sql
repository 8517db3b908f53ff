-- All traces with a matching span, by their newest or slowest one.
{with}SELECT {mark}, trace_id, max({key}) AS rank
FROM {db}.spans
WHERE {where}
GROUP BY trace_id
ORDER BY rank DESC, trace_id
LIMIT {traces_max}
