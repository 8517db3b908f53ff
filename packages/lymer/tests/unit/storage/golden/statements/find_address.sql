-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\x071.2.3.4'
-- p3 = b'\x18\x84\x86\x88\x08'
-- p4 = b'\x18\x84\x86\x88\x88\xf0\xff\xff\xff\xff\x01'
-- p5 = b'!\x00\x00\x00@0 pA'
-- p6 = b'!\x00\x00\x80\x9f\xbf\xdf\xef\xc1'
-- p7 = 'peer.ipv4'
-- p8 = b'\n\x071.2.3.4'
-- p9 = b'\x18\x84\x86\x88\x08'
-- p10 = b'\x18\x84\x86\x88\x88\xf0\xff\xff\xff\xff\x01'
-- p11 = b'!\x00\x00\x00@0 pA'
-- p12 = b'!\x00\x00\x80\x9f\xbf\xdf\xef\xc1'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String}), unhex({p3:String}), unhex({p4:String}), unhex({p5:String}), unhex({p6:String})]) AND arrayExists((k, v) -> k = {p7:String} AND has([unhex({p8:String}), unhex({p9:String}), unhex({p10:String}), unhex({p11:String}), unhex({p12:String})], v), mapKeys(attrs), mapValues(attrs))))
ORDER BY start DESC
LIMIT 100
