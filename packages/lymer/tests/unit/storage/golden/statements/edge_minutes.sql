-- p0 = 1
-- p1 = 9
-- p2 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, cityHash64(source_kind, source, if(target_kind = 4, 0, target_kind), target) AS series,
    slot, sum(r.calls), sum(r.errors),
    sum(arraySum((bucket, count) -> (bucket + 0.5) / 8 * count, mapKeys(r.buckets),
        mapValues(r.buckets)))
FROM {db}.graph AS r
WHERE size = 1 AND slot BETWEEN {p0:UInt64} AND {p1:UInt64} AND source_kind != 255 AND target != '' AND (source IN ({p2:String}) OR target IN ({p2:String}))
GROUP BY series, slot;

-- p0 = 1
-- p1 = 9
-- p2 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, cityHash64(source_kind, source, if(target_kind = 4, 0, target_kind), target) AS series,
    any((source_kind, toString(source))), any((target_kind, toString(target)))
FROM {db}.graph
WHERE size = 1 AND slot BETWEEN {p0:UInt64} AND {p1:UInt64} AND source_kind != 255 AND target != '' AND (source IN ({p2:String}) OR target IN ({p2:String}))
GROUP BY series
