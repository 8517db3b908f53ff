INSERT INTO {db}.graph
SELECT source_kind, source, target_kind, target, size, slot, {minus}sum(calls), {minus}sum(errors),
    {minus}sum(durations), mapFromArrays(groupArray(bucket), groupArray({minus}calls)),
    toInt64({minus}round(sum(spans))), {batch}
FROM
(
    SELECT source_kind, source, target_kind, target, size, bucket,
        toUInt32(intDiv(minute, size) * size) AS slot, sum(calls) AS calls, sum(errors) AS errors,
        sum(durations) AS durations, sum(spans) AS spans
    FROM
    (
        SELECT 0::UInt8 AS source_kind, parents.name AS source, 0::UInt8 AS target_kind,
            children.name AS target, minute, bucket, calls, errors, durations, spans
        FROM
        (
            SELECT parent, child, figures.minute AS minute, figures.bucket AS bucket,
                sum(change * figures.weight) AS calls,
                sum(change * figures.weight * figures.failed) AS errors,
                sum(change * figures.weight * figures.duration) AS durations,
                toFloat64(sum(change)) AS spans
            FROM
            (
                SELECT callers.number AS parent, called.number AS child, is_callee, figures, toInt8(1) AS change
                FROM
                (
                    SELECT parent_id, number, is_callee, figures, was_there
                    FROM {db}.step_spans
                    WHERE parent_id != 0 AND trace NOT IN (SELECT trace FROM {db}.step_shared)
                ) AS called
                LEFT ANY JOIN
                (
                    SELECT id, number, was_there
                    FROM {db}.step_spans
                    WHERE id != 0 AND trace NOT IN (SELECT trace FROM {db}.step_shared)
                ) AS callers ON called.parent_id = callers.id
                WHERE callers.number != 0 AND NOT (called.was_there AND callers.was_there)
                UNION ALL
                SELECT tupleElement(call, 1) AS parent, child, is_callee, figures, tupleElement(call, 2) AS change
                FROM
                (
                    SELECT called.number AS child, called.is_callee AS is_callee, called.figures AS figures,
                        if(called.caller_now != 0, called.caller_now, callers.now) AS parent_now,
                        multiIf(NOT called.was_there, 0, called.caller_before != 0, called.caller_before,
                            callers.before) AS parent_before,
                        arrayJoin([(parent_now, toInt8(1)), (parent_before, toInt8(-1))]) AS call
                    FROM
                    (
                        SELECT
                            tupleElement(span, 1) AS number,
                            tupleElement(span, 2) AS parent_id,
                            tupleElement(span, 3) AS figures,
                            tupleElement(span, 4) AS was_there,
                            tupleElement(span, 5) AS is_callee,
                            if(is_callee, shared_caller_now, 0) AS caller_now,
                            if(is_callee, shared_caller_before, 0) AS caller_before
                        FROM
                        (
                            SELECT
                                groupArray((number, parent_id, figures, was_there, is_callee)) AS spans,
                                minIf(number, is_caller) AS shared_caller_now,
                                minIf(number, is_caller AND was_there) AS shared_caller_before
                            FROM {db}.step_shared
                            GROUP BY id
                        )
                        ARRAY JOIN spans AS span
                    ) AS called
                    LEFT ANY JOIN
                    (
                        SELECT id,
                            min(if(is_callee, number, bitOr(number, bitShiftLeft(1::UInt64, 63)))) AS first,
                            minIf(if(is_callee, number, bitOr(number, bitShiftLeft(1::UInt64, 63))),
                                was_there) AS first_before,
                            bitAnd(first, 0x7FFFFFFFFFFFFFFF) AS now,
                            bitAnd(first_before, 0x7FFFFFFFFFFFFFFF) AS before
                        FROM {db}.step_shared
                        GROUP BY id
                    ) AS callers ON called.parent_id = callers.id
                    WHERE parent_now != parent_before
                )
                WHERE parent != 0
            )
            WHERE is_callee OR parent != child
            GROUP BY parent, child, minute, bucket
        ) AS calls
        INNER JOIN (
            SELECT toString(service) AS name, bitShiftRight(cityHash64(service), 1) AS number
            FROM
            (
                SELECT DISTINCT service
                FROM {db}.step_spans
            )
        ) AS parents ON calls.parent = parents.number
        INNER JOIN (
            SELECT toString(service) AS name, bitShiftRight(cityHash64(service), 1) AS number
            FROM
            (
                SELECT DISTINCT service
                FROM {db}.step_spans
            )
        ) AS children ON calls.child = children.number

        UNION ALL
        
        SELECT if(kind = 5, leaf.1, 0), if(kind = 5, leaf.2, service), if(kind = 5, 0, leaf.1),
            if(kind = 5, service, leaf.2), figures.1, figures.2, sum(change * figures.4),
            sum(change * figures.4 * figures.3), sum(change * figures.4 * figures.5),
            toFloat64(sum(change))
        FROM
        (
            SELECT service, kind, multiIf(texts[4] != '' AND kind IN (4, 5), (2::UInt8, arrayStringConcat(arrayFilter(text -> text != '', [texts[3], texts[4]]), '/')), kind = 5, (0::UInt8, ''), texts[1] != '', (1::UInt8, arrayStringConcat(arrayFilter(text -> text != '', [texts[1], texts[2]]), '/')), texts[5] != '', (3::UInt8, texts[5]), (0::UInt8, '')) AS leaf, figures,
                toInt64(multiIf(leaf.1 = 2, is_first, leaf.1 = 0, 0, opened)) AS change
            FROM
            (
                SELECT service, kind, arrayMap(names -> arrayFirst(text -> text != '', arrayMap(name -> if(startsWith(named[name], '\n'), substring(named[name], if(length(named[name]) <= 129, 3, 4), 256), ''), names)), [['db.system.name', 'db.system'], ['db.namespace', 'db.cassandra.keyspace', 'db.elasticsearch.cluster.name', 'db.hbase.namespace', 'db.name'], ['messaging.system'], ['messaging.destination.name', 'messaging.destination'], ['service.peer.name', 'peer.service', 'server.address', 'http.server_name', 'net.host.name', 'net.peer.name', 'tls.client.server_name']]) AS texts, figures, is_first, opened
                FROM
                (
                    SELECT cityHash64(trace_id, span_id) AS id, toString(service) AS service, kind,
                        mapFilter((k, v) -> k IN ('db.system.name', 'db.system', 'db.namespace', 'db.cassandra.keyspace', 'db.elasticsearch.cluster.name', 'db.hbase.namespace', 'db.name', 'messaging.system', 'messaging.destination.name', 'messaging.destination', 'service.peer.name', 'peer.service', 'server.address', 'http.server_name', 'net.host.name', 'net.peer.name', 'tls.client.server_name'), attrs) AS named, (toUInt32(least(intDiv(start, 60000000000), 4294967295)), toInt16(floor(log2(toFloat64(duration) + 1) * 8)), toUInt8(status = 2), if(trace_state = '', 1., least(1 / (1 - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)'), 14, '0'))))) / 72057594037927936), 1048576.)), toFloat64(duration)) AS figures,
                        (id, kind = 5) NOT IN (
                            SELECT id, is_callee FROM {db}.step_spans WHERE was_there) AS is_first,
                        toInt8(id NOT IN (
                            SELECT parent_id
                            FROM {db}.step_spans
                            WHERE is_callee AND parent_id != 0
                            UNION ALL
                            SELECT id
                            FROM {db}.step_shared
                            WHERE is_callee
                        )) AS is_open,
                        is_open - (NOT is_first AND id NOT IN (
                            SELECT parent_id
                            FROM {db}.step_spans
                            WHERE was_there AND is_callee AND parent_id != 0
                            UNION ALL
                            SELECT id
                            FROM {db}.step_shared
                            WHERE was_there AND is_callee
                        )) AS opened
                    FROM {db}.spans
                    PREWHERE seg > {lookback} AND seg <= {upto} AND kind IN (3, 4, 5)
                        AND (seg > {after} OR id IN (
                            SELECT parent_id
                            FROM {db}.step_spans
                            WHERE is_callee AND parent_id != 0
                            UNION ALL
                            SELECT id
                            FROM {db}.step_shared
                            WHERE is_callee
                        ))
                    WHERE kind != 3 OR opened != 0
                    LIMIT 1 BY id, service, kind
                )
                WHERE notEmpty(named)
            )
        )
        WHERE change != 0
        GROUP BY ALL

        UNION ALL
        
        SELECT 0::UInt8 AS source_kind, toString(linked.service) AS source, 4::UInt8 AS target_kind,
            consumers.service AS target, minute, bucket, sum(weight) AS calls,
            sum(weight * failed) AS errors, sum(weight * length) AS durations, toFloat64(count()) AS spans
        FROM
        (
            SELECT DISTINCT toString(service) AS service, cityHash64(trace_id, span_id) AS span,
                arrayJoin(arrayMap(l -> cityHash64(toFixedString(l.1, 16), toFixedString(l.2, 8)),
                    arrayFilter(l -> length(l.1) = 16 AND length(l.2) = 8, links))) AS id,
                toUInt32(least(intDiv(start, 60000000000), 4294967295)) AS minute, toInt16(floor(log2(toFloat64(duration) + 1) * 8)) AS bucket, status = 2 AS failed, if(trace_state = '', 1., least(1 / (1 - reinterpretAsUInt64(reverse(unhex(concat('00', rightPad(extract(trace_state, '(?:^|,)[ \\t]*ot=(?:[^,]*;)?th:([0-9a-fA-F]{1,14})(?:[;, \\t]|$)'), 14, '0'))))) / 72057594037927936), 1048576.)) AS weight,
                toFloat64(duration) AS length
            FROM {db}.spans
            WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)
        ) AS consumers
        LEFT ANY JOIN
        (
            SELECT cityHash64(trace_id, span_id) AS id, service
            FROM {linked}
            WHERE seg > {lookback} AND seg <= {upto} AND trace_id IN
            (
                SELECT toFixedString(arrayJoin(arrayFilter(t -> length(t) = 16, links.trace_id)), 16)
                FROM {db}.spans
                WHERE seg > {after} AND seg <= {upto} AND kind = 5 AND notEmpty(links)
            )
        ) AS linked ON consumers.id = linked.id
        WHERE linked.service != ''
        GROUP BY ALL

        UNION ALL

        SELECT 255, '', 0, toString(service), figures.minute, figures.bucket, sum(figures.weight),
            sum(figures.weight * figures.failed), sum(figures.weight * figures.duration),
            toFloat64(count())
        FROM {db}.step_spans
        WHERE NOT was_there AND (is_callee OR parent_id = 0)
        GROUP BY ALL
    )
    ARRAY JOIN [1::UInt8, 60::UInt8] AS size
    GROUP BY source_kind, source, target_kind, target, size, slot, bucket
)
GROUP BY source_kind, source, target_kind, target, size, slot
UNION ALL
SELECT 255, '{note}', 0, '', 0, {minute_of_arrival}, 0, 0, 0, CAST(map(), 'Map(Int16, Float64)'), 0, {batch}
