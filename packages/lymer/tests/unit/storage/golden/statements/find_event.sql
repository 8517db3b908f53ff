-- p0 = 1000
-- p1 = 2000
-- p2 = b'\n\texception'
-- p3 = 'event'
-- p4 = b'\n\texception'
-- p5 = 'event'
-- p6 = b'\n\texception'
-- p7 = 'event'
-- p8 = b'\n\texception'
-- p9 = 'exception'
-- p10 = b'\n\texception'
-- p11 = b'exception'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND ((hasAny(mapValues(attrs), [unhex({p2:String})]) AND arrayExists((k, v) -> k = {p3:String} AND has([unhex({p4:String})], v), mapKeys(attrs), mapValues(attrs))) OR (hasAny(arrayConcat(arrayFlatten(arrayMap(e -> arrayPushBack(mapValues(tupleElement(e, 'attributes')), toString(tupleElement(e, 'name'))), events)), arrayFlatten(arrayMap(l -> mapValues(tupleElement(l, 'attributes')), links))), [unhex({p10:String}), unhex({p11:String})]) AND (arrayExists(e -> arrayExists((k, v) -> k = {p5:String} AND has([unhex({p6:String})], v), mapKeys(e.attributes), mapValues(e.attributes)), events) OR arrayExists(l -> arrayExists((k, v) -> k = {p7:String} AND has([unhex({p8:String})], v), mapKeys(l.attributes), mapValues(l.attributes)), links) OR arrayExists(e -> e.name = {p9:String}, events))))
ORDER BY start DESC
LIMIT 100
