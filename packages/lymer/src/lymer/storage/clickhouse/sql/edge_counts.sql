-- Edges of the newest minutes, each minute for itself.
SELECT {mark}, slot, source_kind, source, target_kind, target, sum(g.calls), sum(g.errors),
    sum(g.duration_sum), arrayZip(mapKeys(sumMap(g.buckets) AS b), mapValues(b)),
    sum(g.spans) AS all_spans
FROM {db}.graph AS g
WHERE size = 1 AND slot >= {first} AND target != '' AND source_kind != 255
GROUP BY slot, source_kind, source, target_kind, target
HAVING all_spans > 0
