{{- define "lymer.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "lymer.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/*
Sections that are not there are empty: a null, or values of an older chart (helm upgrade --reuse-values). First of every file.
Nearly only maps are filled in: merge takes a false for nothing.
*/}}
{{- define "lymer.whole" -}}
{{- $role := dict "service" dict "podDisruptionBudget" dict "ingress" dict "httproute" dict -}}
{{- $_ := merge .Values (dict
  "serviceAccount" dict
  "storage" (dict "persistence" dict "clickhouse" dict "kafka" dict)
  "tls" (dict "issuerRef" dict "existingSecrets" dict)
  "allInOne" (deepCopy $role)
  "collector" (merge (dict "autoscaling" dict) (deepCopy $role))
  "ingester" (merge (dict "enabled" false "autoscaling" dict) (deepCopy $role))
  "query" (deepCopy $role)
  "agent" (merge (dict "kind" "None" "daemonset" dict "buffer" dict "podSecurityContext" dict) (deepCopy $role))
  "metrics" (dict "serviceMonitor" dict "prometheusRule" dict "dashboards" dict)
  "networkPolicy" dict
  "istio" (dict "telemetry" dict "peerAuthentication" dict)
) -}}
{{- end -}}

{{/* Roles that this release has, as a list. */}}
{{- define "lymer.roles" -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- list "all-in-one" | toJson -}}
{{- else -}}
{{- $roles := list "collector" "query" -}}
{{- if .Values.ingester.enabled -}}{{- $roles = append $roles "ingester" -}}{{- end -}}
{{- if ne .Values.agent.kind "None" -}}{{- $roles = append $roles "agent" -}}{{- end -}}
{{- toJson $roles -}}
{{- end -}}
{{- end -}}

{{/* The values of a role. Takes (list root role). */}}
{{- define "lymer.values" -}}
{{- index (index . 0).Values (eq (index . 1) "all-in-one" | ternary "allInOne" (index . 1)) | toJson -}}
{{- end -}}

{{/* Who takes spans, who has the store, and who has the web interface. */}}
{{- define "lymer.receiving" -}}{{ eq .Values.mode "all-in-one" | ternary "all-in-one" "collector" }}{{- end -}}
{{- define "lymer.storing" -}}{{ if include "lymer.kafka" . }}ingester{{ else }}{{ include "lymer.receiving" . }}{{ end }}{{- end -}}
{{- define "lymer.showing" -}}{{ eq .Values.mode "all-in-one" | ternary "all-in-one" "query" }}{{- end -}}

{{/* Name of the workload of a role. Takes (list root role). */}}
{{- define "lymer.workload" -}}
{{- include "lymer.fullname" (index . 0) -}}{{- if ne (index . 1) "all-in-one" }}-{{ index . 1 }}{{ end -}}
{{- end -}}

{{/* What is selected by. Takes (list root role). */}}
{{- define "lymer.selector" -}}
app.kubernetes.io/name: {{ include "lymer.name" (index . 0) }}
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Labels. Takes (list root component extra...); a label that is given twice is the last one's, none that is selected by. */}}
{{- define "lymer.labels" -}}
{{- $root := index . 0 -}}
{{- $made := dict "app.kubernetes.io/version" $root.Chart.AppVersion "app.kubernetes.io/managed-by" $root.Release.Service "app.kubernetes.io/part-of" "lymer" -}}
{{- $_ := set $made "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- range (prepend (slice . 2) $root.Values.commonLabels) -}}
{{- $made = mergeOverwrite $made (deepCopy (default dict .)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made (include "lymer.selector" (slice . 0 2) | fromYaml)) -}}
{{- end -}}

{{/* name, namespace, labels, annotations. Takes (list root component name labels annotations). */}}
{{- define "lymer.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ $root.Release.Namespace }}
labels:
  {{- include "lymer.labels" (list $root (index . 1) (index . 3)) | nindent 2 }}
{{- with mergeOverwrite (deepCopy (default dict $root.Values.commonAnnotations)) (deepCopy (default dict (index . 4))) }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "lymer.image" -}}
{{- with .Values.image -}}
{{- if .registry }}{{ .registry }}/{{ end -}}
{{- .repository -}}
{{- if .digest }}@{{ .digest }}{{ else }}:{{ default $.Chart.AppVersion .tag }}{{ end -}}
{{- end -}}
{{- end -}}

{{- define "lymer.account" -}}
{{- with .Values.serviceAccount -}}
{{- default (.create | empty | ternary "default" (include "lymer.fullname" $)) .name -}}
{{- end -}}
{{- end -}}

{{/* "true" with TLS. */}}
{{- define "lymer.tls" -}}
{{- if or .Values.tls.issuerRef.name .Values.tls.existingSecrets }}true{{ end -}}
{{- end -}}

{{- define "lymer.secret" -}}
{{- default (printf "%s-tls" (include "lymer.workload" .)) (index (index . 0).Values.tls.existingSecrets (index . 1)) -}}
{{- end -}}

{{/* The ClickHouse server, or its shards with commas between them; empty: the embedded engine. */}}
{{- define "lymer.clickhouse" -}}
{{- with .Values.storage.clickhouse.url -}}{{ kindIs "slice" . | ternary (join "," (kindIs "slice" . | ternary . list)) . }}{{- end -}}
{{- end -}}

{{/* "true" with Kafka between collectors and ingesters. */}}
{{- define "lymer.kafka" -}}
{{- if and (ne .Values.mode "all-in-one") .Values.ingester.enabled }}true{{ end -}}
{{- end -}}

{{/* The Service at which each pod that has the store has a name of its own. */}}
{{- define "lymer.storeService" -}}
{{- include "lymer.fullname" . }}-{{ if include "lymer.kafka" . }}ingester{{ else }}collector{{ end }}-headless
{{- end -}}

{{/*
Ports of a role, in JSON: name, number, whether the Service has it. Istio reads the protocol before the dash.
*/}}
{{- define "lymer.ports" -}}
{{- $role := index . 1 -}}
{{- $ports := list -}}
{{- if has $role (list "all-in-one" "collector" "agent") -}}
{{- $ports = concat $ports (list (list "grpc-otlp" 4317) (list "http-otlp" 4318)) -}}
{{- end -}}
{{- if has $role (list "all-in-one" "collector") -}}
{{- $ports = concat $ports (list (list "grpc-jaeger" 14250) (list "http-jaeger" 14268) (list "http-zipkin" 9411) (list "grpc-sampling" 5779)) -}}
{{- end -}}
{{- if and (ne $role "all-in-one") (eq $role (include "lymer.storing" (index . 0))) -}}
{{- $ports = append $ports (list "grpc-storage" 17271) -}}
{{- end -}}
{{- if has $role (list "all-in-one" "agent") -}}
{{- $ports = concat $ports (list (list "http-sampling" 5778) (list "udp-compact" 6831) (list "udp-binary" 6832)) -}}
{{- end -}}
{{- if eq $role "agent" -}}
{{- $ports = append $ports (list "udp-zipkin" 5775) -}}
{{- end -}}
{{- if has $role (list "all-in-one" "query") -}}
{{- $ports = concat $ports (list (list "http-query" 16686) (list "grpc-query" 16685)) -}}
{{- end -}}
{{- $admin := dict "all-in-one" 14269 "collector" 14269 "ingester" 14270 "query" 16687 "agent" 14271 -}}
{{- $ports = append $ports (list "http-admin" (index $admin $role)) -}}
{{- toJson $ports -}}
{{- end -}}

{{/* Settings of a role, as a file. Takes (list root role). */}}
{{- define "lymer.config" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- $values := include "lymer.values" . | fromJson -}}
{{- $receiving := eq $role (include "lymer.receiving" $root) -}}
{{- $storing := eq $role (include "lymer.storing" $root) -}}
{{- $collector := printf "%s-collector-headless.%s.svc" (include "lymer.fullname" $root) $root.Release.Namespace -}}
{{- $store := printf "%s.%s.svc" (include "lymer.storeService" $root) $root.Release.Namespace -}}
{{- $made := dict "listen_host" "0.0.0.0" "logs" (dict "encoding" "json") -}}
{{- $query := dict -}}
{{- if $root.Values.uiconfig -}}
{{- $_ := set $query "ui_config_file" "/etc/lymer/ui.json" -}}
{{- end -}}
{{- if $storing -}}
{{- $store := dict "data_dir" "/data" -}}
{{- with $root.Values.storage.retention -}}{{- $_ := set $store "retention_seconds" . -}}{{- end -}}
{{- with $root.Values.storage.memoryMax -}}{{- $_ := set $store "memory_bytes_max" . -}}{{- end -}}
{{- $_ := set $made "storage" $store -}}
{{- end -}}
{{- with include "lymer.clickhouse" $root -}}
{{- if or $storing (eq $role "query") -}}
{{- $server := dict "clickhouse_url" . -}}
{{- with $root.Values.storage.clickhouse -}}
{{- with .user -}}{{- $_ := set $server "clickhouse_user" . -}}{{- end -}}
{{- if .cluster -}}{{- $_ := set $server "clickhouse_cluster" .cluster -}}{{- end -}}
{{- if .existingSecret -}}
{{- $_ := set $server "clickhouse_password_file" (printf "/etc/lymer-clickhouse/%s" (default "password" .passwordKey)) -}}
{{- if .caKey -}}{{- $_ := set $server "clickhouse_ca_file" (printf "/etc/lymer-clickhouse/%s" .caKey) -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $_ := set $made "storage" (mergeOverwrite (default dict $made.storage) $server) -}}
{{- end -}}
{{- end -}}
{{- if and (include "lymer.kafka" $root) (has $role (list "collector" "ingester")) -}}
{{- with $root.Values.storage.kafka -}}
{{- $kafka := dict "enabled" true "brokers" (kindIs "slice" .brokers | ternary (join "," (kindIs "slice" .brokers | ternary .brokers list)) .brokers) -}}
{{- range $name, $value := dict "topic" .topic "encoding" .encoding -}}
{{- if $value -}}{{- $_ := set $kafka $name $value -}}{{- end -}}
{{- end -}}
{{- if .tls -}}
{{- $_ := set $kafka "tls" (dict "enabled" true) -}}
{{- if .caKey -}}{{- $_ := set $kafka.tls "ca_file" (printf "/etc/lymer-kafka/%s" .caKey) -}}{{- end -}}
{{- end -}}
{{- if and .mechanism (ne .mechanism "none") -}}
{{- $_ := set $kafka "sasl" (dict "mechanism" .mechanism "username" .user "password_file" (printf "/etc/lymer-kafka/%s" (default "password" .passwordKey))) -}}
{{- end -}}
{{- $_ := set $made "kafka" $kafka -}}
{{- end -}}
{{- if eq $role "collector" -}}{{- $_ := set $made "storage" (dict "data_dir" "/data") -}}{{- end -}}
{{- end -}}
{{- if eq $role "agent" -}}
{{- $_ := set $made "storage" (dict "data_dir" "/data") -}}
{{- with $root.Values.agent.buffer.sizeMax -}}{{- $_ := set $made "journal" (dict "backlog_bytes_max" .) -}}{{- end -}}
{{- $tags := list "node=${NODE_NAME:unknown}" -}}
{{- with $root.Values.agent.tags -}}{{- $tags = prepend $tags . -}}{{- end -}}
{{- $_ := set $made "agent" (dict "targets" (printf "dns:///%s:4317" $collector) "tags" (join "," $tags | replace "$" "$$")) -}}
{{- end -}}
{{- $remote := and (eq $role "query") (not (include "lymer.clickhouse" $root)) -}}
{{- if $remote -}}
{{- $_ := set $made "remote_storage" (dict "target" (printf "dns:///%s:17271" $store)) -}}
{{- end -}}
{{- if include "lymer.tls" $root -}}
{{- $files := dict "cert_file" "/etc/lymer-tls/tls.crt" "key_file" "/etc/lymer-tls/tls.key" -}}
{{- $link := dict "tls" (mergeOverwrite (dict "enabled" true "ca_file" "/etc/lymer-tls/ca.crt") (deepCopy $files)) -}}
{{- $plain := dict "tls" (dict "enabled" false) -}}
{{- /* Kubernetes' probes and Prometheus have no certificate. */ -}}
{{- $_ := set $made "admin" (deepCopy $plain) -}}
{{- $_ := set $made "health" (deepCopy $plain) -}}
{{- if ne $role "agent" -}}
{{- $_ := set $made "tls" (mergeOverwrite (dict "client_ca_file" "/etc/lymer-tls/ca.crt") (deepCopy $files)) -}}
{{- if $root.Values.tls.ui -}}
{{- /* Browsers have no certificate either. */ -}}
{{- $_ := set $query "tls" (dict "verify_clients" false) -}}
{{- $_ := set $query "grpc" (dict "tls" (dict "verify_clients" false)) -}}
{{- else -}}
{{- $_ := set $query "tls" (dict "enabled" false) -}}
{{- $_ := set $query "grpc" (deepCopy $plain) -}}
{{- end -}}
{{- end -}}
{{- if $receiving -}}
{{- $secured := dict "tls" (dict "verify_clients" $root.Values.tls.verifyClients) -}}
{{- $receivers := dict -}}
{{- range (list "otlp_grpc" "otlp_http" "jaeger_grpc" "jaeger_http" "zipkin") -}}
{{- $_ := set $receivers . (deepCopy (ternary $plain $secured (has . (default list $root.Values.tls.plainReceivers)))) -}}
{{- end -}}
{{- $_ := set $made "receivers" $receivers -}}
{{- $sampling := ternary $plain $secured (has "sampling" (default list $root.Values.tls.plainReceivers)) -}}
{{- $_ := set $made "sampling" (dict "http" (deepCopy $sampling) "grpc" (deepCopy $sampling)) -}}
{{- end -}}
{{- if eq $role "agent" -}}
{{- if not (has "otlp_grpc" (default list $root.Values.tls.plainReceivers)) -}}
{{- $_ := set $made "agent" (mergeOverwrite $made.agent (deepCopy $link)) -}}
{{- end -}}
{{- end -}}
{{- if $remote -}}
{{- $_ := set $made "remote_storage" (mergeOverwrite $made.remote_storage (deepCopy $link)) -}}
{{- end -}}
{{- end -}}
{{- if and $query (has $role (list "all-in-one" "query")) -}}
{{- $_ := set $made "query" $query -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made (deepCopy (default dict $root.Values.config)) (deepCopy (default dict $values.config))) -}}
{{- end -}}
