-- p0 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p1 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x02'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
-- setting query_plan_enable_optimizations = 0
-- setting use_query_condition_cache = 0
-- setting max_result_rows = 20000
-- setting result_overflow_mode = throw
SELECT {mark}, service, cityHash64(resource), cityHash64(scope), trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, links, events, attrs FROM {db}.spans PREWHERE trace_id IN (unhex({p0:String}), unhex({p1:String}));

-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, count() FROM {db}.archive WHERE 1
