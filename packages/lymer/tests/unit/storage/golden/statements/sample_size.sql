-- p0 = 0
-- p1 = 1000000000000000000
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
SELECT {mark}, count(), uniq(trace_id)
FROM {db}.spans
WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64}
