-- p0 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
SELECT {mark}, service, name, if(kind BETWEEN 0 AND 5, kind, 0) AS span_kind, sum(red.calls),
    sum(red.errors), sum(red.duration_sum), sum(red.sampled), sumMap(red.buckets)
FROM {db}.red AS red
WHERE minute BETWEEN 0 AND 0 AND calls > 0 AND service = {p0:String}
GROUP BY service, name, span_kind
