-- p0 = 1000
-- p1 = 2000
-- p2 = 'shop'
-- p3 = 'GET /cart'
-- p4 = 5
-- p5 = 9
-- p6 = b'\n\x03500'
-- p7 = b'\x18\xf4\x03'
-- p8 = b'!\x00\x00\x00\x00\x00@\x7f@'
-- p9 = 'user'
-- p10 = b'\n\x03500'
-- p11 = b'\x18\xf4\x03'
-- p12 = b'!\x00\x00\x00\x00\x00@\x7f@'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND service = {p2:String}
    AND name = {p3:String}
    AND duration >= {p4:Int64}
    AND duration <= {p5:Int64}
    AND ((hasAny(mapValues(attrs), [unhex({p6:String}), unhex({p7:String}), unhex({p8:String})]) AND arrayExists((k, v) -> k = {p9:String} AND has([unhex({p10:String}), unhex({p11:String}), unhex({p12:String})], v), mapKeys(attrs), mapValues(attrs))))
ORDER BY start DESC
LIMIT 100
