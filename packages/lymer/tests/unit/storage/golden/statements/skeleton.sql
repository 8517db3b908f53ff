-- p0 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
-- setting query_plan_enable_optimizations = 0
-- setting use_query_condition_cache = 0
-- setting max_result_rows = 20000
-- setting result_overflow_mode = throw
SELECT {mark}, service, cityHash64(resource), cityHash64(scope), trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, events, mapFilter((k, v) -> k IN ('telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings'), attrs), bitAnd(rare, 7) FROM {db}.spans PREWHERE trace_id = unhex({p0:String});

-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, count() FROM {db}.archive WHERE 1
