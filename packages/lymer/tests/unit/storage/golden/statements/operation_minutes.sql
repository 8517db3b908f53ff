-- p0 = 1
-- p1 = 9
-- p2 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, cityHash64(service, name) AS series, minute, toFloat64(sum(r.calls)),
    toFloat64(sum(r.errors)),
    sum(arraySum((bucket, count) -> (bucket + 0.5) / 8 * count, mapKeys(r.buckets),
        mapValues(r.buckets)))
FROM {db}.red AS r
WHERE minute BETWEEN {p0:UInt64} AND {p1:UInt64} AND service IN ({p2:String})
GROUP BY series, minute;

-- p0 = 1
-- p1 = 9
-- p2 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, cityHash64(service, name) AS series, toString(any(service)), toString(any(name))
FROM {db}.red
WHERE minute BETWEEN {p0:UInt64} AND {p1:UInt64} AND service IN ({p2:String})
GROUP BY series
