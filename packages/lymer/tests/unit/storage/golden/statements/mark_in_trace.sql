-- trace = '000000000000abcd0000000000000001'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, groupUniqArray(cityHash64(resource)), groupUniqArray(cityHash64(scope)),
    groupUniqArrayArray(arrayMap(p -> (cityHash64(p.1, p.2), p.1, p.2), arrayFilter(p ->
        NOT startsWith(p.2, '\n') AND NOT has([unhex('10')], substring(p.2, 1, 1)),
        arrayConcat(CAST(attrs, 'Array(Tuple(String, String))'),
            arrayFlatten(arrayMap(e -> CAST(e.attributes, 'Array(Tuple(String, String))'), events))
        ))))
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, span_id, parent_span_id, start, duration, kind, status, cityHash64(service),
    cityHash64(name), cityHash64(resource), toUInt32(length(events)), toUInt32(length(links)),
    toUInt32(arrayCount(link -> replaceAll(substring(concat(repeat('\0', 16), link), -16), '\0', '') = '', links.trace_id)), toUInt8((notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))),
    toUInt8(arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(attrs), mapValues(attrs)) OR arrayExists(e -> (NOT mapContains(e.attributes, 'event') AND (e.name != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p6:String}, toString(e.name)), [{p7:String}, {p8:String}]))) OR arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(e.attributes), mapValues(e.attributes)), events) OR (status_message != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p9:String}, toString(status_message)), [{p10:String}, {p11:String}])) OR (trace_state != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p12:String}, toString(trace_state)), [{p13:String}, {p14:String}])))
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, span_id, parent_span_id, start, duration, kind, status, cityHash64(service),
    cityHash64(name), cityHash64(resource), toUInt32(length(events)), toUInt32(length(links)),
    toUInt32(arrayCount(link -> replaceAll(substring(concat(repeat('\0', 16), link), -16), '\0', '') = '', links.trace_id)), toUInt8((notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))),
    toUInt8(arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(attrs), mapValues(attrs)) OR arrayExists(e -> (NOT mapContains(e.attributes, 'event') AND (e.name != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p6:String}, toString(e.name)), [{p7:String}, {p8:String}]))) OR arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(e.attributes), mapValues(e.attributes)), events) OR (status_message != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p9:String}, toString(status_message)), [{p10:String}, {p11:String}])) OR (trace_state != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p12:String}, toString(trace_state)), [{p13:String}, {p14:String}]))), sipHash64(service, resource, scope, trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, links, events, flags, dropped, attrs)
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, groupUniqArray((cityHash64(service), service)),
    groupUniqArray((cityHash64(name), name))
FROM {db}.spans
WHERE trace_id = unhex({trace:String});

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.spans
    WHERE (trace_id = unhex({trace:String})) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 2
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, origin_hash, tupleElement(CAST(resource, 'Tuple(attributes Map(String, String), dropped UInt32, entities Array(String), schema_url String)'), 1)
FROM
(
    SELECT resource, cityHash64(resource) AS origin_hash
    FROM {db}.archive
    WHERE (trace_id = unhex({trace:String})) AND cityHash64(resource) IN (0)
    LIMIT 1 BY origin_hash
);

-- trace = '000000000000abcd0000000000000001'
-- p1 = "a'b"
-- p2 = '5'
-- p3 = "a'b"
-- p4 = '5'
-- p5 = 'k'
-- p6 = 'event='
-- p7 = "a'b"
-- p8 = '5'
-- p9 = 'otel.status_description='
-- p10 = "a'b"
-- p11 = '5'
-- p12 = 'w3c.tracestate='
-- p13 = "a'b"
-- p14 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, service, cityHash64(resource), cityHash64(scope), trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, mapFilter((k, v) -> k IN ('telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings'), attrs), sipHash64(service, resource, scope, trace_id, span_id, parent_span_id, name, kind, status, status_message, start, duration, trace_state, warnings, links, events, flags, dropped, attrs) FROM {db}.spans PREWHERE trace_id = unhex({trace:String}) WHERE (notEmpty(warnings) OR hasAny(mapKeys(attrs), ['telemetry.sdk.language', 'telemetry.sdk.name', 'telemetry.sdk.version', 'telemetry.distro.name', 'telemetry.distro.version', '@jaeger@warnings']))
