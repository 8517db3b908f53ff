-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\x06server'
-- p3 = 'span.kind'
-- p4 = b'\n\x06server'
-- p5 = b'\n\x03lib'
-- p6 = 'otel.scope.name'
-- p7 = b'\n\x03lib'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String})]) AND arrayExists((k, v) -> k = {p3:String} AND has([unhex({p4:String})], v), mapKeys(attrs), mapValues(attrs))) OR kind = 2)
    AND ((hasAny(mapValues(attrs), [unhex({p5:String})]) AND arrayExists((k, v) -> k = {p6:String} AND has([unhex({p7:String})], v), mapKeys(attrs), mapValues(attrs))) OR cityHash64(scope) IN (22))
ORDER BY start DESC
LIMIT 100
