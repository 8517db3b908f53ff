"""Every row of the compatibility page is held by tests that are named here.

A row without one fails, and so does a row or a test that is gone. What is not there yet needs none.
"""

from __future__ import annotations

import ast
import functools
from pathlib import Path
from typing import Final

import pytest

_TESTS: Final = Path(__file__).parents[2]
_PAGE: Final = Path(__file__).parents[5] / "docs" / "compatibility.md"
_NOT_THERE: Final = frozenset({"not yet", "none"})

_HTTP: Final = "integration/api/test_http_api.py"
_ZIPKIN: Final = "integration/api/test_zipkin_query.py"
_V2: Final = "unit/wire/test_zipkin_v2.py"
_V1: Final = "unit/wire/test_zipkin_v1.py"
_GRPC: Final = "integration/api/test_query_grpc.py"

HELD: Final = {
    "OTLP gRPC, 4317": "integration/receivers/test_otlp_grpc.py "
    "test_a_good_request_is_journaled_as_it_was_sent test_an_overload_says_when_to_come_back "
    "test_an_undecodable_message_is_an_invalid_argument",
    "its compression": "integration/receivers/test_grpc_server.py "
    "test_every_compression_of_real_clients_is_taken",
    "its largest message": "integration/receivers/test_otlp_grpc.py "
    "test_a_message_over_the_limit_is_refused_by_the_transport",
    "OTLP HTTP, 4318": "integration/receivers/test_otlp_http.py "
    "test_a_good_request_is_answered_in_its_own_encoding test_another_method "
    "test_another_content_type test_an_undecodable_body_is_answered_in_its_own_encoding",
    "its `Content-Encoding`": "integration/receivers/test_otlp_http.py test_content_codings",
    "when OTLP is acknowledged": "integration/receivers/test_otlp_http.py "
    "test_nobody_is_told_before_it_is_durable",
    "OTLP metrics and logs": "integration/receivers/test_otlp_http.py test_another_path",
    "CORS on 4318 and 9411": "integration/transport/test_cors.py "
    "test_a_preflight_tells_who_may_send test_without_origins_nothing_is_said",
    "Jaeger thrift over UDP 6831 (compact) and 6832 (binary)": "integration/receivers/"
    "test_jaeger_udp.py test_what_real_clients_sent_is_journaled "
    "test_a_datagram_over_the_limit_is_counted_and_dropped test_what_the_system_drops_is_counted",
    "Jaeger thrift over HTTP 14268": "integration/receivers/test_jaeger_http.py "
    "test_a_batch_is_accepted_without_a_word test_other_content_types_are_refused "
    "test_other_paths_and_methods_are_refused",
    "Jaeger api_v2 over gRPC 14250": "integration/receivers/test_jaeger_grpc.py "
    "test_a_batch_is_journaled_as_otlp test_what_is_not_durable_is_unavailable",
    "Jaeger's spans become OTLP": "unit/wire/test_jaeger_to_otlp.py test_a_span_with_everything "
    "test_references_become_a_parent_and_links test_tags_become_the_status",
    "their duplicate keys": "unit/wire/test_jaeger_to_otlp.py test_a_key_sent_twice_is_kept_twice",
    "their scope and trace state, sent as tags by thrift": "unit/wire/test_jaeger_to_otlp.py "
    "test_the_library_becomes_the_scope test_the_tracestate_is_a_field",
    "zipkin compact over UDP 5775": f"{_V1} test_a_batch_in_a_message_is_what_a_bare_list_is",
    "Zipkin 9411": "integration/receivers/test_zipkin_http.py test_path_and_type_say_the_format "
    "test_a_bad_request_is_400_with_the_reason",
    "its answer when we are overloaded": "integration/receivers/test_zipkin_http.py "
    "test_overload_says_when_to_come_again",
    "Zipkin's spans become OTLP": f"{_V2} test_a_span_keeps_its_fields test_kinds test_status",
    "sampling strategies from a file": "unit/sampling/test_strategy_file.py "
    "test_the_manuals_example test_a_service_gets",
    "its errors": "unit/sampling/test_strategy_file.py test_what_cannot_be_used_is_refused "
    "test_what_has_no_effect_is_said",
    "a server that answers 503 at start": "integration/sampling/test_file_provider.py "
    "test_503_means_the_defaults test_a_server_is_asked_again",
    "adaptive sampling": "unit/sampling/test_adaptive.py test_weights_are_fourth_powers "
    "test_a_probability_follows",
    "its clients": "unit/sampling/test_adaptive.py test_who_says_nothing_has_time_to_ask_again",
    "alone, without followers": "e2e/test_adaptive_sampling.py test_populations_come_to_the_target",
    "sampling 5778": "integration/sampling/test_endpoints.py test_port_5778_answers_on_any_path",
    "sampling 5779, and on 14250 as in v1": "integration/sampling/test_endpoints.py "
    "test_grpc_answers",
    "TLS and mTLS on every listener and link, reload": "integration/transport/test_tls.py "
    "test_one_certificate_turns_every_listener_to_tls "
    "test_a_client_without_a_certificate_is_refused",
    "TLS 1.0 and 1.1": "integration/transport/test_tls.py "
    "test_only_the_versions_asked_for_are_spoken",
    "`insecure_skip_verify`": "unit/transport/test_tls_server.py "
    "test_a_link_that_skips_verification_is_refused_over_grpc",
    "bearer tokens, basic auth on receivers": "integration/transport/test_access.py "
    "test_who_may_send",
    "tenants": "e2e/test_tenants.py test_http_doors_refuse_what_names_no_tenant "
    "test_every_door_brings_spans_to_the_tenant_named",
    "the tenant header twice over HTTP": "e2e/test_tenants.py "
    "test_http_doors_refuse_what_names_no_tenant",
    "texts that are not UTF-8, and the other sanitizers": "contract/storage/test_sanitizers.py "
    "test_service_names test_an_empty_span_name_is_named",
    "roles `agent`, `collector`, `query`": "e2e/test_three_roles.py "
    "test_what_a_jaeger_client_sends_the_query_role_shows",
    "the agent's buffer": "crash/test_agent_kill.py "
    "test_killed_agents_and_collectors_lose_nothing_and_double_nothing",
    "the agent's OTLP ports": "unit/config/test_sources.py "
    "test_the_roles_of_one_machine_share_no_port_of_their_own",
    "`--reporter.grpc.host-port`, `dns:///`, round robin": "unit/config/test_sources.py "
    "test_targets_are_addresses_names_and_dns_names",
    "`--agent.tags`, `--collector.tags`, `${NAME:default}`": "integration/receivers/"
    "test_repeated_deliveries.py test_tags_are_added_to_what_comes_in",
    "`--reporter.grpc.retry.max`": "unit/config/test_jaeger_flags.py "
    "test_what_has_no_meaning_is_accepted_and_said",
    "`--collector.queue-size`, `--collector.num-workers`": "unit/config/test_jaeger_flags.py "
    "test_what_has_no_meaning_is_accepted_and_said",
    "agent metrics": "e2e/test_admin.py test_every_metric_is_documented",
    "`--span-storage.type`, other storage flags": "unit/config/test_jaeger_flags.py "
    "test_no_flag_of_jaegers_ends_a_start test_variables_of_jaegers_storage_are_named",
    "remote storage, 17271": "e2e/test_jaeger_storage.py test_a_jaeger_keeps_its_traces_here",
    "the other end of a call": f"{_V2} test_endpoints_become_attributes "
    "test_a_tag_named_peer_service_wins",
    "the own end": f"{_V2} test_endpoints_become_attributes",
    "an end with two addresses": f"{_V2} test_endpoints_become_attributes",
    "`debug`, `shared`": f"{_V2} test_a_span_keeps_its_fields",
    "resource tags (`host.name`, `k8s.pod.name`, …)": f"{_V2} "
    "test_resource_tags_move_to_the_resource_of_their_span",
    "`otel.status_code`": f"{_V2} test_status",
    "tag `error`": f"{_V2} test_status",
    "tags that are no texts": f"{_V2} test_lenient_values",
    "times as texts or fractions, ids shorter than 64 bits, null": f"{_V2} test_lenient_values "
    "test_ids",
    "an annotation with `\\|` in it": f"{_V2} test_annotations",
    "v1 JSON, `sa` as truth value (py-zipkin, npm zipkin)": f"{_V1} "
    "test_an_address_annotation_is_the_other_party",
    "v1, own end": f"{_V1} test_the_first_core_annotation_says_kind_and_service",
    "v1, service of a span without `cs`, `sr`, …": f"{_V1} "
    "test_the_service_of_a_span_without_core_annotations",
    "v1, 4xx of a server": f"{_V1} test_a_clients_fault_is_no_error_of_the_server",
    "no start": f"{_V1} test_times",
    "a search": f"{_ZIPKIN} test_search",
    "names": f"{_ZIPKIN} test_a_trace_comes_back_as_it_was_sent",
    "a term of `annotationQuery`": f"{_ZIPKIN} test_search",
    "autocomplete": f"{_ZIPKIN} test_what_lens_asks_before_a_search",
    "`remoteServices`": f"{_ZIPKIN} test_what_lens_asks_before_a_search",
    "copies of a span": f"{_ZIPKIN} test_spans_of_otlp_are_written_as_exporters_write_them",
    "spans of OTLP": f"{_ZIPKIN} test_spans_of_otlp_are_written_as_exporters_write_them",
    "`errorCount` of a dependency": f"{_ZIPKIN} test_dependencies_say_how_many_calls_failed",
    "who may ask on 9411": "e2e/test_zipkin_readers.py "
    "test_who_may_not_ask_on_16686_may_not_ask_on_9411",
    "attribute types: string, bool, int64, double, bytes, list, map": "contract/storage/"
    "test_attributes.py test_every_kind_of_value_keeps_its_type_and_order_on_the_span",
    "unusable input: no service name, empty span name, end before start": "contract/storage/"
    "test_sanitizers.py test_service_names test_an_empty_span_name_is_named "
    "test_a_span_that_ends_before_it_starts_lasts_one_nanosecond",
    "duplicate keys, 64-bit integers, NaN": "contract/storage/test_attributes.py "
    "test_duplicate_keys_are_kept",
    "event, link, scope and resource attributes": "contract/storage/test_otlp.py "
    "test_every_field_survives_the_round_trip",
    "trace state, flags, dropped counts, schema URLs": "contract/storage/test_otlp.py "
    "test_every_field_survives_the_round_trip",
    "order of spans and grouping into requests": "contract/storage/test_segments.py "
    "test_a_trace_may_come_in_many_requests_and_segments",
    "ids of another length than 16 and 8 bytes": "contract/storage/test_sanitizers.py "
    "test_trace_ids_of_any_length_are_stored test_span_ids_of_any_length_are_stored",
    "nanoseconds": "contract/storage/test_spans.py test_plain_columns_hold_what_was_sent",
    "`GET /api/services`, `/api/operations`, `/api/services/{s}/operations`": f"{_HTTP} test_bytes "
    "test_operations_need_a_service",
    "`GET /api/traces`": f"{_HTTP} test_search test_bad_questions_are_400 "
    "test_several_traces_by_id_tell_which_is_missing",
    "its completeness": "contract/storage/test_complete_search.py "
    "test_traces_with_thousands_of_matching_spans_do_not_hide_others",
    "`GET /api/traces/{id}`": f"{_HTTP} test_a_trace_byte_by_byte test_ids_in_other_forms "
    "test_an_unknown_trace_is_404",
    "`GET /api/dependencies`": "contract/storage/test_dependencies.py test_calls_between_services "
    "test_parent_and_child_that_arrive_far_apart_are_joined",
    "adjusters and their warnings": "unit/query/adjust/test_adjusters.py "
    "test_the_standard_order_gives_ids_before_it_corrects_clocks "
    "test_a_correction_over_the_limit_is_only_told",
    "order of logs": "contract/storage/test_spans.py test_events_become_logs_with_their_name_first",
    "search for `error=false`": "contract/storage/test_search.py test_keys_with_a_meaning",
    "search by what the JSON shows": "contract/storage/test_shown_is_found.py "
    "test_what_is_shown_is_found",
    "content type of errors": f"{_HTTP} test_bad_questions_are_400",
    "`POST /api/transform`": f"{_HTTP} test_spans_come_back_as_traces test_bad_json_is_400",
    "`POST /api/archive/{id}`": "contract/storage/test_archive.py "
    "test_an_archived_trace_is_read_when_its_spans_are_gone "
    "test_archiving_again_adds_what_came_since_and_nothing_twice",
    "metrics of spans for a Prometheus (`spanmetrics` connector), Grafana's service graph": (
        "e2e/test_span_metrics.py test_a_prometheus_answers_as_we_do "
        "test_text_openmetrics_and_protobuf_say_the_same"
    ),
    "deleting traces": "e2e/test_deletion.py test_traces_are_deleted_by_question_and_by_id "
    "test_who_may_delete_is_apart_from_who_may_read_metrics",
    "`GET /api/metrics/latencies`, `calls`, `errors`, `minstep` (monitor)": "integration/api/"
    "test_metrics.py test_calls_are_calls_per_second test_bad_parameters_are_refused test_minstep",
    "the structured filter of v3": "integration/api/test_structured_filter.py "
    "test_every_operator_is_answered_alike test_a_filter_stands_alone",
    "a range of time that ends before it starts": f"{_HTTP} test_bytes test_errors",
    "unknown paths, other methods": f"{_HTTP} test_unknown_paths_are_404_as_text "
    "test_another_method_is_404",
    "statuses where Jaeger says 500": f"{_HTTP} test_bad_questions_are_400 "
    "test_a_slow_store_is_503 test_too_many_questions_at_once_are_503",
    "operations of an unknown service": f"{_HTTP} test_bytes",
    "`/api/v3/services`, `operations`, `traces`, `traces/{id}`, `trace-summaries`": f"{_HTTP} "
    "test_services_and_operations test_summaries_byte_by_byte test_a_trace_as_otlp",
    "calls of Jaeger UI's and Grafana's newest sources": "integration/api/test_newest_readers.py "
    "test_summaries_of_all_services_and_of_one "
    "test_grafana_writes_the_offset_of_its_zone_unescaped",
    "gRPC query, 16685: `jaeger.api_v2.QueryService`": f"{_GRPC} "
    "test_a_trace_comes_in_chunks_of_ten test_adjusted_unless_raw test_refusals "
    "test_a_trace_is_archived test_reflection_lists_and_describes "
    "test_each_service_that_jaeger_calls_well_is",
    "pages of `FindTraceSummaries`, over HTTP and gRPC": "integration/api/"
    "test_structured_filter.py "
    "test_pages_visit_each_match_once test_pages_are_refused",
    "`jaeger.api_v3.QueryService` there": f"{_GRPC} test_search test_names_and_dependencies",
    "`/api/deep-dependencies`, `/analytics/v1/dependencies`, `/api/quality-metrics`": (
        "integration/api/test_deep.py test_every_way_passes_the_service test_quality_is_judged"
    ),
    "health `:13133/status`, `:14269/`": "integration/api/test_health.py "
    "test_status_of_port_13133 test_root_of_port_14269",
    "`:14269/metrics`": "integration/api/test_health.py test_metrics_in_prometheus_text",
    "`/debug/vars`, `/debug/pprof`, zpages": "integration/api/test_health.py "
    "test_root_of_port_14269",
    "web interface": "unit/ui/test_mounted.py test_files_and_the_page_are_served "
    "test_capabilities_and_version_are_told",
    "configuration": "unit/config/test_sources.py test_the_listen_host_has_aliases",
    "`/api/lymer/v1/*`": "integration/api/test_trace_columns.py "
    "test_columns_say_what_the_json_says",
    "`/api/openapi.json`": "integration/api/test_openapi.py "
    "test_every_route_is_in_the_document test_every_answer_is_what_the_document_says",
    "Kafka between collector and ingester": "unit/wire/test_kafka_encodings.py "
    "test_what_is_written_can_be_read test_what_jaegers_collector_wrote_is_read",
    "storage backends": "unit/config/test_jaeger_flags.py "
    "test_variables_of_jaegers_storage_are_named",
}
"""First cell of a row → file of tests, and tests in it."""


def _rows() -> dict[str, str]:
    """Return the first cell of each row and its second one."""
    rows = {}
    for line in _PAGE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.replace("\\|", "\0").split("|")]
        if len(cells) > 3 and cells[1] and not cells[1].startswith("---"):
            rows[cells[1].replace("\0", "\\|")] = cells[2]
    return rows


@functools.cache
def _tests_in(path: str) -> frozenset[str]:
    parsed = ast.parse((_TESTS / path).read_text("utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(parsed)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test")
    )


def test_every_row_is_held() -> None:
    """By a test, unless it says that something is not there; and every held row is on the page."""
    rows = _rows()

    assert set(HELD) <= set(rows)
    assert set(HELD) == {row for row, state in rows.items() if state not in _NOT_THERE}


@pytest.mark.parametrize("row", HELD)
def test_the_tests_of_a_row_are_there(row: str) -> None:
    """In the file named."""
    path, *names = HELD[row].split()

    assert names
    assert set(names) <= _tests_in(path)
