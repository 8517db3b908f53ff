/** Types of the query API. Written by tools/gen_ui_api.py: edit api/schemas.py instead.
 *  Document: 16239befde89c731ba244401b971ef325f2e7bdb47f7618b5ac6a2f207fd7f90 */

export interface paths {
    "/api/services": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names of all services */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Names"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Operations of a service */
        get: {
            parameters: {
                query: {
                    service: string;
                    spanKind?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Operations"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/services/{service}/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names of a service's operations */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    service: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Names"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/traces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Traces that match, or traces by id */
        get: {
            parameters: {
                query?: {
                    service?: string;
                    operation?: string;
                    start?: number;
                    end?: number;
                    limit?: number;
                    minDuration?: string;
                    maxDuration?: string;
                    tag?: string[];
                    tags?: string[];
                    traceID?: string[];
                    raw?: boolean;
                    lookback?: string;
                    prettyPrint?: boolean;
                    anyName?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/traces/{trace_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One trace */
        get: {
            parameters: {
                query?: {
                    raw?: boolean;
                    start?: number;
                    end?: number;
                    prettyPrint?: boolean;
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/dependencies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Calls between services */
        get: {
            parameters: {
                query?: {
                    endTs?: number;
                    lookback?: number;
                    service?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Dependencies"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/transform": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Traces of an OTLP document, not stored */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/archive/{trace_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Keep a trace in the archive */
        post: {
            parameters: {
                query?: {
                    start?: number;
                    end?: number;
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Object"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/deep-dependencies": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Paths past a service */
        get: {
            parameters: {
                query: {
                    service: string;
                    operation?: string;
                    start?: number;
                    end?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeepPaths"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/quality-metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How good a service's spans are */
        get: {
            parameters: {
                query: {
                    service: string;
                    hours?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Quality"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/metrics/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** latencies, calls, errors or minstep */
        get: {
            parameters: {
                query: {
                    service: string[];
                    spanKind?: string[];
                    groupByOperation?: boolean;
                    endTs?: number;
                    lookback?: number;
                    step?: number;
                    ratePer?: number;
                    quantile?: number;
                };
                header?: never;
                path: {
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["MetricFamily"] | components["schemas"]["Envelope"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/service-graph": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Services, databases, peers and queues, with figures */
        get: {
            parameters: {
                query?: {
                    endTs?: number;
                    lookback?: number;
                    compare?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ServiceGraph"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/practice": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Demo traffic and incidents to practise on, where there are */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Practice"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        /** Start or stop them: do is traffic, stop or incident */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        [key: string]: unknown;
                    };
                };
            };
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Practice"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v3/services": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Names of all services */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["V3Services"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v3/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Operations of a service */
        get: {
            parameters: {
                query: {
                    service: string;
                    spanKind?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["V3Operations"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v3/trace-summaries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One line for each trace that matches */
        get: {
            parameters: {
                query: {
                    "query.serviceName"?: string;
                    "query.operationName"?: string;
                    "query.attributes"?: string;
                    "query.startTimeMin": string;
                    "query.startTimeMax": string;
                    "query.durationMin"?: string;
                    "query.durationMax"?: string;
                    "query.searchDepth"?: number;
                    "query.filter"?: string;
                    "query.rawTraces"?: boolean;
                    "query.anyName"?: boolean;
                    "query.pagination.pageSize"?: number;
                    "query.pagination.pageToken"?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["V3Summaries"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v3/traces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Traces that match, as OTLP */
        get: {
            parameters: {
                query: {
                    "query.serviceName"?: string;
                    "query.operationName"?: string;
                    "query.attributes"?: string;
                    "query.startTimeMin": string;
                    "query.startTimeMax": string;
                    "query.durationMin"?: string;
                    "query.durationMax"?: string;
                    "query.searchDepth"?: number;
                    "query.filter"?: string;
                    "query.rawTraces"?: boolean;
                    "query.anyName"?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["V3Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v3/traces/{trace_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One trace as OTLP */
        get: {
            parameters: {
                query?: {
                    rawTraces?: boolean;
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["V3Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/diagnosis/root-cause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where an anomaly began */
        get: {
            parameters: {
                query?: {
                    start?: number;
                    end?: number;
                    windowStart?: number;
                    windowEnd?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RootCause"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/diagnosis/explain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is different about the spans of a question */
        get: {
            parameters: {
                query?: {
                    start?: number;
                    end?: number;
                    windowStart?: number;
                    windowEnd?: number;
                    q?: string;
                    baseline?: string;
                    slowest?: string;
                    errors?: boolean;
                    minDuration?: string;
                    maxDuration?: string;
                    progressive?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Explanation"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/diagnosis/profile": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Costs of operations or groups of spans, and by path */
        get: {
            parameters: {
                query?: {
                    start?: number;
                    end?: number;
                    q?: string;
                    by?: string[];
                    progressive?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Profile"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/diagnosis/changes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When rate, errors or latency of operations and edges jumped */
        get: {
            parameters: {
                query?: {
                    start?: number;
                    end?: number;
                    service?: string[];
                    of?: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Changes"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/diagnosis/difference": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Two traces, or sets of them, by path */
        get: {
            parameters: {
                query: {
                    one: string[];
                    other: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["PathDifferences"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/findings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What is remarkable about a trace */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Findings"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/columns": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A trace as binary columns */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/vnd.lymer.trace-columns": string;
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/find": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Spans in which a text occurs */
        get: {
            parameters: {
                query: {
                    text: string;
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Found"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/part": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was found and what is around it */
        get: {
            parameters: {
                query: {
                    text: string;
                    levels?: number;
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/vnd.lymer.trace-columns": string;
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/statistics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Times by groups of spans */
        get: {
            parameters: {
                query: {
                    by: string[];
                };
                header?: never;
                path: {
                    trace_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Statistics"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/traces/{trace_id}/spans/{span_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One span with everything */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    trace_id: string;
                    span_id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Traces"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/lymer/v1/otlp": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Traces by id as OTLP protobuf, as they are stored */
        get: {
            parameters: {
                query: {
                    traceID: string[];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/x-protobuf": string;
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Traces that match a question in the search language */
        get: {
            parameters: {
                query?: {
                    q?: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    limit?: number;
                    spss?: number;
                    order?: string;
                    cursor?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Search"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/series": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Numbers over time */
        get: {
            parameters: {
                query: {
                    q: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    step?: string;
                    exemplars?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Series"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/check": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether a question can be read, what it asks for, and as a form */
        get: {
            parameters: {
                query?: {
                    q?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Checked"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/summaries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One line for each trace that matches */
        get: {
            parameters: {
                query?: {
                    q?: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    limit?: number;
                    order?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Summaries"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/heatmap": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Matching spans by start and duration */
        get: {
            parameters: {
                query?: {
                    q?: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    columns?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Heatmap"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/fields": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Attributes that spans have */
        get: {
            parameters: {
                query?: {
                    q?: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Fields"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/search/values": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Values of a field */
        get: {
            parameters: {
                query: {
                    field: string;
                    q?: string;
                    start?: string;
                    end?: string;
                    since?: string;
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Values"];
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/tail": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Spans as they are stored, as server-sent events */
        get: {
            parameters: {
                query?: {
                    q?: string;
                    rate?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The answer */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": string;
                    };
                };
                /** @description A refusal: 4xx, or 503 when there is too much to do */
                default: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": unknown;
                        "text/plain": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        KeyValue: {
            key: string;
            type: string;
            value: string | number | boolean;
        };
        Reference: {
            /** @enum {string} */
            refType: "CHILD_OF" | "FOLLOWS_FROM";
            traceID: string;
            spanID: string;
        };
        Log: {
            timestamp: number;
            fields: components["schemas"]["KeyValue"][];
        };
        Span: {
            traceID: string;
            spanID: string;
            operationName: string;
            references: components["schemas"]["Reference"][];
            startTime: number;
            duration: number;
            tags: components["schemas"]["KeyValue"][];
            logs: components["schemas"]["Log"][];
            processID: string;
            warnings: string[] | null;
        };
        Process: {
            serviceName: string;
            tags: components["schemas"]["KeyValue"][];
        };
        Trace: {
            traceID: string;
            spans: components["schemas"]["Span"][];
            processes: {
                [key: string]: components["schemas"]["Process"];
            };
            warnings: string[] | null;
        };
        Traces: {
            data: components["schemas"]["Trace"][] | null;
            total: number;
            limit: number;
            offset: number;
            errors: {
                [key: string]: unknown;
            }[] | null;
        };
        Names: {
            data: string[] | null;
            total: number;
            limit: number;
            offset: number;
            errors: {
                [key: string]: unknown;
            }[] | null;
        };
        Operations: {
            data: {
                name: string;
                spanKind: string;
            }[] | null;
            total: number;
            limit: number;
            offset: number;
            errors: {
                [key: string]: unknown;
            }[] | null;
        };
        Dependencies: {
            data: {
                parent: string;
                child: string;
                callCount: number;
            }[];
            total: number;
            limit: number;
            offset: number;
            errors: {
                [key: string]: unknown;
            }[] | null;
        };
        V3Services: {
            services: string[];
        };
        V3Operations: {
            operations: {
                name: string;
                spanKind: string;
            }[];
        };
        V3Summary: {
            traceId: string;
            rootServiceName?: string;
            rootOperationName?: string;
            minStartTimeUnixNano?: string;
            maxEndTimeUnixNano?: string;
            spanCount?: number;
            errorSpanCount?: number;
            orphanSpanCount?: number;
            services?: {
                name?: string;
                spanCount?: number;
                errorSpanCount?: number;
            }[];
        };
        V3Summaries: {
            summaries: components["schemas"]["V3Summary"][];
            nextPageToken?: string;
        };
        V3Traces: {
            result: {
                resourceSpans: {
                    [key: string]: unknown;
                }[];
            };
        };
        Found: {
            spanIds: string[];
            spanCount: number;
        };
        Statistics: {
            by: string[];
            spanCount: number;
            durationNano: number;
            groups: (string | null)[][];
            count: number[];
            totalNano: number[];
            minNano: number[];
            maxNano: number[];
            selfTotalNano: number[];
            selfMinNano: number[];
            selfMaxNano: number[];
        };
        MetricFamily: {
            name: string;
            type: string;
            help: string;
            metrics: {
                labels: {
                    name: string;
                    value: string;
                }[];
                metricPoints: {
                    gaugeValue: {
                        doubleValue: number | string;
                    };
                    timestamp: string;
                }[];
            }[];
        };
        ServiceGraph: {
            startUnixNano: string;
            endUnixNano: string;
            estimated: boolean;
            nodes: {
                id: string;
                name: string;
                /** @enum {string} */
                kind: "service" | "database" | "messaging" | "external";
                calls: number;
                errors: number;
                avgNano: number | null;
                p50Nano: number | null;
                p95Nano: number | null;
                p99Nano: number | null;
                spans: number;
                before?: {
                    calls: number;
                    errors: number;
                    avgNano: number | null;
                    p50Nano: number | null;
                    p95Nano: number | null;
                    p99Nano: number | null;
                    spans: number;
                } | null;
            }[];
            edges: {
                from: string;
                to: string;
                type: string;
                calls: number;
                errors: number;
                avgNano: number | null;
                p50Nano: number | null;
                p95Nano: number | null;
                p99Nano: number | null;
                spans: number;
                before?: {
                    calls: number;
                    errors: number;
                    avgNano: number | null;
                    p50Nano: number | null;
                    p95Nano: number | null;
                    p99Nano: number | null;
                    spans: number;
                } | null;
            }[];
        };
        DeepPaths: {
            dependencies: {
                path: {
                    service: string;
                    operation: string;
                }[];
                attributes: {
                    key: string;
                    value: string;
                }[];
                count: number;
            }[];
            sample?: number;
        };
        QualityExample: {
            traceID: string;
            spanIDs: string[];
        };
        Quality: {
            traceQualityDocumentationLink: string;
            scores: {
                key: string;
                label: string;
                max: number;
                value: number;
            }[];
            metrics: {
                name: string;
                category: string;
                description: string;
                metricDocumentationLink: string;
                metricWeight: number;
                passCount: number;
                passExamples: components["schemas"]["QualityExample"][];
                failureCount: number;
                failureExamples: components["schemas"]["QualityExample"][];
                exemptionCount: number;
                exemptionExamples: components["schemas"]["QualityExample"][];
            }[];
            bannerText?: string;
        };
        Sample: {
            spans: number;
            traces: number;
            ofSpans: number;
            ofTraces: number;
        };
        Place: {
            service: string;
            operation: string | null;
        };
        Fact: {
            scope: string;
            key: string;
            value: string;
        };
        Difference: {
            scope: string;
            key: string;
            value: string;
            effect: number;
            support: number;
            sample: number;
            inSelection: number;
            inBaseline: number;
            score: number;
            along: components["schemas"]["Fact"][];
            exampleTraceId?: string;
            effectError?: number;
            own?: number;
            values?: {
                value: string;
                inSelection: number;
                inBaseline: number;
            }[];
        };
        Explanation: {
            how: string;
            selected: number;
            baseline: number;
            sample: components["schemas"]["Sample"];
            findings: components["schemas"]["Difference"][];
            final?: boolean;
        };
        RootCause: {
            start_unix_nano: number;
            end_unix_nano: number;
            byRule: components["schemas"]["Place"][];
            sample: components["schemas"]["Sample"];
            candidates: {
                service: string;
                operation: string | null;
                score: number;
                evidence: {
                    /** @enum {string} */
                    what: "slow" | "error" | "calls" | "network" | "queue";
                    key: string | null;
                    value: string | null;
                    calls: string | null;
                    likelihoodRatio: number;
                    events: number;
                    chances: number;
                    usual: number;
                    attributes: components["schemas"]["Difference"][];
                    traceIds: string[];
                    spreadThrough: components["schemas"]["Place"][];
                };
            }[];
        };
        Profile: {
            sample: components["schemas"]["Sample"];
            operations: {
                service: string;
                operation: string;
                spans: number;
                traces: number;
                errors: number;
                totalNano: number;
                selfNano: number;
                criticalNano: number;
                p50Nano: number;
                p95Nano: number;
                p99Nano: number;
                perTrace: number;
                perSecond: number;
                selfErrorNano: number;
                values?: (string | null)[];
            }[];
            by: string[];
            rowsLeftOut: number;
            names: string[][];
            tree: {
                parent: number[];
                name: number[];
                spans: number[];
                traces: number[];
                errors: number[];
                totalNano: number[];
                selfNano: number[];
                criticalNano: number[];
            };
            pathsLeftOut: number;
            final?: boolean;
        };
        Changes: {
            changes: {
                service: string;
                operation: string | null;
                caller: string | null;
                /** @enum {string} */
                what: "latency" | "rate" | "errors";
                atUnixNano: number;
                before: number;
                after: number;
                strength: number;
            }[];
        };
        Findings: {
            findings: {
                kind: string;
                service: string;
                operation: string;
                nanoseconds: number;
                part: number;
                count: number;
                spanIds: string[];
            }[];
        };
        PathDifferences: {
            sentence: string;
            pathsLeftOut: number;
            paths: {
                path: string[][];
                calls: number[];
                totalNano: number[];
                selfNano: number[];
            }[];
        };
        Search: {
            traces: {
                traceID: string;
                spanSets: {
                    [key: string]: unknown;
                }[];
            }[];
        };
        Instant: {
            series: {
                labels: {
                    [key: string]: unknown;
                }[];
            }[];
        };
        Series: {
            series: {
                labels: {
                    [key: string]: unknown;
                }[];
                promLabels: string;
                samples: {
                    timestampMs: string;
                    value?: number | string;
                }[];
            }[];
            complete?: boolean;
            reason?: string;
            estimated?: boolean;
        };
        QuestionPlace: {
            cause: string;
            at: number;
            line: number;
            column: number;
            hint: string;
        };
        FormFields: {
            service: string;
            operation: string;
            tags: {
                [key: string]: string;
            };
            minDuration: string;
            maxDuration: string;
        };
        Checked: {
            valid: boolean;
            /** @enum {string} */
            asks?: "traces" | "numbers";
            form?: components["schemas"]["FormFields"] | null;
            place?: components["schemas"]["QuestionPlace"];
        };
        Practice: {
            available: boolean;
            traffic?: boolean;
            kinds?: string[];
            incidents?: {
                kind: string;
                seed: number;
                /** @enum {string} */
                state: "sending" | "sent" | "failed";
                truth: {
                    [key: string]: unknown;
                } | null;
            }[];
        };
        Summaries: {
            summaries: (components["schemas"]["V3Summary"] & {
                matched: number;
                spanIds: string[];
            })[];
            complete: boolean;
            reason: string;
            hasMore: boolean;
        };
        Heatmap: {
            startUnixNano: string;
            stepNano: number;
            perOctave: number;
            column: number[];
            row: number[];
            spans: number[];
            errors: number[];
            complete: boolean;
            reason: string;
            estimated: boolean;
        };
        Fields: {
            fields: {
                scope: string;
                name: string;
                type: string;
                count: number;
            }[];
        };
        Values: {
            values: {
                type: string;
                value: string;
                count: number;
            }[];
        };
        Tags: {
            tagNames: string[];
        };
        TagScopes: {
            scopes: {
                name: string;
                tags: string[];
            }[];
        };
        TagTexts: {
            tagValues: string[];
        };
        TagValues: {
            tagValues: {
                type: string;
                value: string;
            }[];
        };
        Texts: string[];
        ZipkinTrace: {
            traceId: string;
            id: string;
        }[];
        ZipkinTraces: components["schemas"]["ZipkinTrace"][];
        ZipkinLinks: {
            parent: string;
            child: string;
            callCount: number;
        }[];
        Deleted: {
            traces: number;
            spans: number;
            archivedSpans: number;
            dryRun: boolean;
            complete: boolean;
            reason: string;
        };
        Deletions: {
            deletions: {
                id: string;
                time: string;
                who: string;
                question: string;
                traces: number;
                spans: number;
                archivedSpans: number;
            }[];
        };
        Object: {
            [key: string]: unknown;
        };
        Envelope: {
            data: unknown;
            total: number;
            limit: number;
            offset: number;
            errors: {
                [key: string]: unknown;
            }[] | null;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;

type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/** One shape of the document; what was answered is not written to. */
export type Shape<Name extends keyof components["schemas"]> = Frozen<components["schemas"][Name]>;
