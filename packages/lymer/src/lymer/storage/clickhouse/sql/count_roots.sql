-- Root spans by the second of arrival and by how they say they were sampled. `origin`: 0 not at all,
-- 1 and 2 by tags of a probabilistic or another sampler, 3 by the threshold of the trace state, 9 by
-- tags that cannot be used.
-- An AnyValue's first byte says its type: a text (\x0a), an integer (\x18; one that fits a byte: 0 or 1
-- is what a probability can be), a double (!). Source: OTLP common.proto.
-- A threshold has up to 14 hex digits, trailing zeros left out; the probability is 1 - threshold / 2^56.
-- Source: OpenTelemetry specification, trace/tracestate-handling.md.
INSERT INTO {db}.throughput
SELECT second, service, name, origin, round(assumeNotNull(share), 6) AS probability,
    toUInt64({minus}count()) AS roots, {batch}
FROM
(
    SELECT
        toUInt32(intDiv(seg, 1000000)) AS second,
        service,
        name,
        if(mapContains(attrs, 'sampler.type'),
            attrs['sampler.type'], attrs['jaeger.sampler.type']) AS type,
        if(mapContains(attrs, 'sampler.type'),
            attrs['sampler.param'], attrs['jaeger.sampler.param']) AS param,
        {threshold} AS threshold,
        multiIf(
            type = '\x0a\x0dprobabilistic', 1,
            type IN ('\x0a\x0alowerbound', '\x0a\x0cratelimiting', '\x0a\x05const'), 2,
            type != '', 9,
            threshold != '', 3,
            0) AS origin,
        multiIf(
            startsWith(param, '\x0a'), toFloat64OrNull(substring(param, 3)),
            startsWith(param, '\x18') AND length(param) = 2,
                CAST(reinterpretAsUInt8(substring(param, 2, 1)), 'Nullable(Float64)'),
            startsWith(param, '!') AND length(param) = 9,
                CAST(reinterpretAsFloat64(substring(param, 2)), 'Nullable(Float64)'),
            NULL) AS number,
        multiIf(
            type != '', number,
            threshold != '', 1 - {number_of_threshold} / 72057594037927936,
            0) AS share
    FROM {db}.spans
    WHERE seg > {after} AND seg <= {upto} AND parent_span_id = toFixedString('', 8)
)
WHERE origin != 9 AND share IS NOT NULL AND isFinite(assumeNotNull(share))
GROUP BY second, service, name, origin, probability
UNION ALL
SELECT 0, '', '{note}', 0, 0, 0, {batch}
