-- p0 = 1000
-- p1 = 2000
-- p2 = 'error'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, start AS rank
FROM {db}.spans
PREWHERE start >= {p0:UInt64}
    AND start <= {p1:UInt64}
    AND (mapContains(attrs, {p2:String}) OR arrayExists(e -> e.name = {p2:String} OR mapContains(e.attributes, {p2:String}), events) OR arrayExists(l -> mapContains(l.attributes, {p2:String}), links) OR resource IN (SELECT resource FROM {db}.origins WHERE mapContains(tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 'attributes'), {p2:String})) OR scope IN (SELECT scope FROM {db}.origins WHERE mapContains(tupleElement(CAST(scope, 'Tuple(name String, version String, attributes Map(String, String), dropped UInt32, schema_url String)'), 'attributes'), {p2:String})) OR status = 2)
ORDER BY start DESC
LIMIT 100
