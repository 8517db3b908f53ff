-- p0 = 1000
-- p1 = 2000
-- p2 = 'shop'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND service = {p2:String}
ORDER BY start DESC
LIMIT 100
