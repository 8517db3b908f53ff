SELECT {mark}, source_kind, source, target_kind, target, sum(g.calls) AS all_calls, sum(g.errors),
    sum(g.duration_sum), arrayZip(mapKeys(sumMap(g.buckets) AS b), mapValues(b)),
    sum(g.spans) AS all_spans
FROM {db}.graph AS g
WHERE ({slots}) AND target != ''
GROUP BY source_kind, source, target_kind, target
HAVING all_spans > 0
