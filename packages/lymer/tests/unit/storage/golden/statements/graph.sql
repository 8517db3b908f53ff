-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, source_kind, source, target_kind, target, sum(g.calls) AS all_calls, sum(g.errors),
    sum(g.duration_sum), arrayZip(mapKeys(sumMap(g.buckets) AS b), mapValues(b)),
    sum(g.spans) AS all_spans
FROM {db}.graph AS g
WHERE ((size = 60 AND slot BETWEEN 0 AND 119) OR (size = 1 AND slot BETWEEN 120 AND 166)) AND target != ''
GROUP BY source_kind, source, target_kind, target
HAVING all_spans > 0
