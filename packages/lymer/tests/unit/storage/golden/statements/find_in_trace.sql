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
-- p15 = "a'b"
-- p16 = '5'
-- p17 = "a'b"
-- p18 = '5'
-- setting max_execution_time = 30
-- setting max_memory_usage = 1048576
-- setting max_threads = 1
-- setting use_skip_indexes_on_data_read = 0
SELECT {mark}, span_id, start, toUInt8(multiSearchAnyCaseInsensitiveUTF8(service, [{p15:String}, {p16:String}]) OR multiSearchAnyCaseInsensitiveUTF8(name, [{p17:String}, {p18:String}]) OR arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(attrs), mapValues(attrs)) OR arrayExists(e -> (NOT mapContains(e.attributes, 'event') AND (e.name != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p6:String}, toString(e.name)), [{p7:String}, {p8:String}]))) OR arrayExists((k, v) -> (k != '@jaeger@warnings' AND NOT multiSearchAnyCaseInsensitiveUTF8(k, [{p5:String}]) AND if(startsWith(v, '\n'), multiSearchAnyCaseInsensitiveUTF8(concat(k, '=', substring(v, multiIf(length(v) <= 129, 3, length(v) <= 16386, 4, length(v) <= 2097155, 5, 6))), [{p1:String}, {p2:String}]), multiSearchAnyCaseInsensitiveUTF8(k, [{p3:String}, {p4:String}]))), mapKeys(e.attributes), mapValues(e.attributes)), events) OR (status_message != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p9:String}, toString(status_message)), [{p10:String}, {p11:String}])) OR (trace_state != '' AND multiSearchAnyCaseInsensitiveUTF8(concat({p12:String}, toString(trace_state)), [{p13:String}, {p14:String}])))
FROM {db}.spans
WHERE trace_id = unhex({trace:String})
