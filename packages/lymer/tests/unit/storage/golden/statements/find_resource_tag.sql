-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\x01a'
-- p3 = 'zone'
-- p4 = b'\n\x01a'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String})]) AND arrayExists((k, v) -> k = {p3:String} AND has([unhex({p4:String})], v), mapKeys(attrs), mapValues(attrs))) OR cityHash64(resource) IN (11))
ORDER BY start DESC
LIMIT 100
