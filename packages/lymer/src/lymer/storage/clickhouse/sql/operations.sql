SELECT {mark}, toString(service), toString(name), kind, max(toUnixTimestamp(seen)) AS seen
FROM {db}.operations
GROUP BY service, name, kind
