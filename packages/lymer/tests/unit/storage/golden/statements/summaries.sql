-- p0 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id,
    argMinIf((toString(service), toString(name)), (start, span_id), is_root) AS root,
    min(start) AS first_start,
    max(start + toUInt64(duration)) AS last_end,
    count() AS spans,
    countIf(status = 2) AS errors,
    countIf(NOT is_root AND (trace_id, parent_span_id) NOT IN
        (SELECT trace_id, span_id FROM {db}.spans WHERE trace_id = unhex({p0:String}))) AS orphans,
    sumMap(map(toString(service), toUInt64(1))) AS spans_by_service,
    sumMapIf(map(toString(service), toUInt64(1)), status = 2) AS errors_by_service
FROM
(
    SELECT trace_id, span_id, parent_span_id, service, name, kind, start, duration,
        status,
        parent_span_id = toFixedString('', 8) AS is_root
    FROM {db}.spans
    WHERE trace_id = unhex({p0:String})
    LIMIT 1 BY trace_id, span_id, parent_span_id, service, name, kind, start, duration, status
)
GROUP BY trace_id
