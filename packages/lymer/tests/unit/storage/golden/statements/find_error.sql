-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\x04true'
-- p3 = b'\x10\x01'
-- p4 = b':\x03\xb6\xbb\x9e'
-- p5 = 'error'
-- p6 = b'\n\x04true'
-- p7 = b'\x10\x01'
-- p8 = b':\x03\xb6\xbb\x9e'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String}), unhex({p3:String}), unhex({p4:String})]) AND arrayExists((k, v) -> k = {p5:String} AND has([unhex({p6:String}), unhex({p7:String}), unhex({p8:String})], v), mapKeys(attrs), mapValues(attrs))) OR status = 2)
ORDER BY start DESC
LIMIT 100
