-- What the hashes of `span_table` mean.
SELECT {mark}, groupUniqArray((cityHash64(service, name), toString(service), toString(name)))
FROM {db}.spans
WHERE {where}
