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

{{/* Roles that this release has, as a list. */}}
{{- define "lymer.roles" -}}
{{- if eq .Values.mode "all-in-one" -}}
{{- list "all-in-one" | toJson -}}
{{- else if eq .Values.agent.kind "None" -}}
{{- list "collector" "query" | toJson -}}
{{- else -}}
{{- list "collector" "query" "agent" | toJson -}}
{{- end -}}
{{- end -}}

{{/* The values of a role. Takes (list root role). */}}
{{- define "lymer.values" -}}
{{- index (index . 0).Values (eq (index . 1) "all-in-one" | ternary "allInOne" (index . 1)) | toJson -}}
{{- end -}}

{{/* Who has the store, and who has the web interface. */}}
{{- define "lymer.storing" -}}{{ eq .Values.mode "all-in-one" | ternary "all-in-one" "collector" }}{{- end -}}
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
{{- .Values.serviceAccount.create | ternary (default (include "lymer.fullname" .) .Values.serviceAccount.name) (default "default" .Values.serviceAccount.name) -}}
{{- end -}}

{{/* "true" with TLS. */}}
{{- define "lymer.tls" -}}
{{- if or .Values.tls.issuerRef.name .Values.tls.existingSecrets }}true{{ end -}}
{{- end -}}

{{- define "lymer.secret" -}}
{{- default (printf "%s-tls" (include "lymer.workload" .)) (index (index . 0).Values.tls.existingSecrets (index . 1)) -}}
{{- end -}}

{{/*
Ports of a role, in JSON: name, number, whether the Service has it. Istio reads the protocol before the dash.
*/}}
{{- define "lymer.ports" -}}
{{- $role := . -}}
{{- $ports := list -}}
{{- if has $role (list "all-in-one" "collector" "agent") -}}
{{- $ports = concat $ports (list (list "grpc-otlp" 4317) (list "http-otlp" 4318)) -}}
{{- end -}}
{{- if has $role (list "all-in-one" "collector") -}}
{{- $ports = concat $ports (list (list "grpc-jaeger" 14250) (list "http-jaeger" 14268) (list "http-zipkin" 9411) (list "grpc-sampling" 5779)) -}}
{{- end -}}
{{- if eq $role "collector" -}}
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
{{- $admin := dict "all-in-one" 14269 "collector" 14269 "query" 16687 "agent" 14271 -}}
{{- $ports = append $ports (list "http-admin" (index $admin $role)) -}}
{{- toJson $ports -}}
{{- end -}}

{{/* Settings of a role, as a file. Takes (list root role). */}}
{{- define "lymer.config" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- $values := include "lymer.values" . | fromJson -}}
{{- $storing := has $role (list "all-in-one" "collector") -}}
{{- $full := include "lymer.fullname" $root -}}
{{- $collector := printf "%s-collector-headless.%s.svc" $full $root.Release.Namespace -}}
{{- $made := dict "listen_host" "0.0.0.0" "logs" (dict "encoding" "json") -}}
{{- $query := dict -}}
{{- if $root.Values.uiconfig -}}
{{- $_ := set $query "ui_config_file" "/etc/lymer/ui.json" -}}
{{- end -}}
{{- if $storing -}}
{{- $_ := set $made "storage" (dict "data_dir" "/data" "retention_seconds" $root.Values.storage.retention "memory_bytes_max" $root.Values.storage.memoryMax) -}}
{{- end -}}
{{- if eq $role "agent" -}}
{{- $_ := set $made "storage" (dict "data_dir" "/data") -}}
{{- $_ := set $made "journal" (dict "backlog_bytes_max" $root.Values.agent.buffer.sizeMax) -}}
{{- $tags := list "node=${NODE_NAME:unknown}" -}}
{{- with $root.Values.agent.tags -}}{{- $tags = prepend $tags . -}}{{- end -}}
{{- $_ := set $made "agent" (dict "targets" (printf "dns:///%s:4317" $collector) "tags" (join "," $tags | replace "$" "$$")) -}}
{{- end -}}
{{- if eq $role "query" -}}
{{- $_ := set $made "remote_storage" (dict "target" (printf "dns:///%s:17271" $collector)) -}}
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
{{- if $storing -}}
{{- $secured := dict "tls" (dict "verify_clients" $root.Values.tls.verifyClients) -}}
{{- $receivers := dict -}}
{{- range (list "otlp_grpc" "otlp_http" "jaeger_grpc" "jaeger_http" "zipkin") -}}
{{- $_ := set $receivers . (deepCopy (ternary $plain $secured (has . $root.Values.tls.plainReceivers))) -}}
{{- end -}}
{{- $_ := set $made "receivers" $receivers -}}
{{- $sampling := ternary $plain $secured (has "sampling" $root.Values.tls.plainReceivers) -}}
{{- $_ := set $made "sampling" (dict "http" (deepCopy $sampling) "grpc" (deepCopy $sampling)) -}}
{{- end -}}
{{- if eq $role "agent" -}}
{{- if not (has "otlp_grpc" $root.Values.tls.plainReceivers) -}}
{{- $_ := set $made "agent" (mergeOverwrite $made.agent (deepCopy $link)) -}}
{{- end -}}
{{- end -}}
{{- if eq $role "query" -}}
{{- $_ := set $made "remote_storage" (mergeOverwrite $made.remote_storage (deepCopy $link)) -}}
{{- end -}}
{{- end -}}
{{- if and $query (ne $role "agent") (ne $role "collector") -}}
{{- $_ := set $made "query" $query -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made (deepCopy (default dict $root.Values.config)) (deepCopy (default dict $values.config))) -}}
{{- end -}}
