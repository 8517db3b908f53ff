-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, trace_id, span_id, parent_span_id, start, duration, kind, status,
    cityHash64(service, name), cityHash64(resource)
FROM {db}.spans
WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String};

-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, groupUniqArray((cityHash64(service, name), toString(service), toString(name)))
FROM {db}.spans
WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String};

-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.spans
    WHERE (start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String}) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.archive
    WHERE (start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String}) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, cityHash64(key, value) AS pair, any(key), any(value)
FROM
(
    SELECT toString(key) AS key, value
    FROM {db}.spans
    ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
    WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String}
)
GROUP BY pair
HAVING count() >= 5
ORDER BY count() DESC
LIMIT 20000;

-- p0 = 0
-- p1 = 1000000000000000000
-- p2 = 4
-- p3 = b'\x00\x00\x00\x00\x00\x00\xab\xcd\x00\x00\x00\x00\x00\x00\x00\x01'
-- p4 = 'shop'
-- p5 = 'GET /'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, substring(trace_id, 9, 8)::FixedString(8), span_id,
    cityHash64(toString(key), value) AS pair
FROM {db}.spans
ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String} AND pair IN
(
    SELECT cityHash64(toString(key), value) AS pair
    FROM {db}.spans
    ARRAY JOIN mapKeys(attrs) AS key, mapValues(attrs) AS value
    WHERE start BETWEEN {p0:UInt64} AND {p1:UInt64} AND cityHash64(trace_id) % {p2:UInt64} = 0 AND trace_id IN (unhex({p3:String})) AND service = {p4:String} AND name = {p5:String}
    GROUP BY pair
    HAVING count() >= 5
    ORDER BY count() DESC
    LIMIT 20000
)
