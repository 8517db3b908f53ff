{{/* The pod template of a role. Takes (list root role). */}}
{{- define "lymer.podTemplate" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
{{- $values := include "lymer.values" . | fromJson -}}
{{- $annotations := dict "checksum/config" (include "lymer.config" . | sha256sum) -}}
{{- if and $root.Values.istio.enabled $root.Values.istio.inject -}}
{{- $in := list 13133 14269 14270 14271 16687 -}}
{{- if include "lymer.tls" $root -}}
{{- /* These links have TLS of their own, which no sidecar may take for plain text or wrap. */ -}}
{{- $in = append $in 17271 -}}
{{- range $name, $port := dict "otlp_grpc" 4317 "otlp_http" 4318 "jaeger_grpc" 14250 "jaeger_http" 14268 "zipkin" 9411 "sampling" 5779 -}}
{{- if not (has $name (default list $root.Values.tls.plainReceivers)) -}}
{{- $in = append $in $port -}}
{{- end -}}
{{- end -}}
{{- $_ := set $annotations "traffic.sidecar.istio.io/excludeOutboundPorts" (has "otlp_grpc" (default list $root.Values.tls.plainReceivers) | ternary "17271" "4317,17271") -}}
{{- end -}}
{{- $_ := set $annotations "traffic.sidecar.istio.io/excludeInboundPorts" (join "," $in) -}}
{{- end -}}
{{- $labels := dict -}}
{{- if $root.Values.istio.enabled -}}
{{- $_ := set $labels "sidecar.istio.io/inject" (ternary "true" "false" (not (not $root.Values.istio.inject))) -}}
{{- end -}}
metadata:
  annotations:
    {{- toYaml (mergeOverwrite $annotations (deepCopy (default dict $values.podAnnotations))) | nindent 4 }}
  labels:
    {{- include "lymer.labels" (list $root $role $labels $values.podLabels) | nindent 4 }}
spec:
  serviceAccountName: {{ include "lymer.account" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range (list "priorityClassName" "nodeSelector" "affinity" "tolerations" "topologySpreadConstraints") }}
  {{- $field := . }}
  {{- with index $values . }}
  {{ $field }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds }}
  {{- include "lymer.initContainers" (list $root $role $values) | indent 2 }}
  containers:
    - {{- include "lymer.container" (list $root $role $values) | nindent 6 }}
    {{- with $values.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "lymer.volumes" (list $root $role) | nindent 4 }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{- define "lymer.initContainers" -}}
{{- $root := index . 0 -}}{{- $values := index . 2 -}}
{{- $owned := and (eq (index . 1) "agent") (eq $root.Values.agent.buffer.type "hostPath") }}
{{- if or $owned $values.extraInitContainers }}
initContainers:
  {{- if $owned }}
  # A kubelet makes the folder of a hostPath as root's, and no fsGroup changes that.
  - name: own-buffer
    image: {{ include "lymer.image" $root | quote }}
    imagePullPolicy: {{ $root.Values.image.pullPolicy }}
    command: [python3, -c, "import os; os.chown('/data', {{ int (default 65532 $values.podSecurityContext.runAsUser) }}, {{ int (default 65532 $values.podSecurityContext.runAsGroup) }})"]
    securityContext:
      runAsNonRoot: false
      runAsUser: 0
      runAsGroup: 0
      allowPrivilegeEscalation: false
      readOnlyRootFilesystem: true
      capabilities: {drop: [ALL], add: [CHOWN, DAC_OVERRIDE]}
    volumeMounts:
      - {name: data, mountPath: /data}
  {{- end }}
  {{- with $values.extraInitContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "lymer.container" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}{{- $values := index . 2 -}}
{{- $admin := has $role (list "all-in-one" "collector") | ternary "http-health" "http-admin" -}}
name: {{ eq $role "all-in-one" | ternary "lymer" $role }}
image: {{ include "lymer.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
command: [lymer]
args:
  - {{ $role }}
  - --config=/etc/lymer/config.yaml
  {{- with $values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
env:
  - name: NODE_NAME
    valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
  - name: POD_NAME
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  - {name: HOME, value: /tmp}
  {{- with $values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with $values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- range (include "lymer.ports" (list $root $role) | fromJsonArray) }}
  - name: {{ first . }}
    containerPort: {{ last . }}
    {{- if hasPrefix "udp-" (first .) }}
    protocol: UDP
    {{- end }}
    {{- if and (eq $role "agent") (eq $root.Values.agent.kind "DaemonSet") $root.Values.agent.daemonset.useHostPort (ne (first .) "http-admin") }}
    hostPort: {{ last . }}
    {{- end }}
  {{- end }}
  {{- if eq $admin "http-health" }}
  - {name: http-health, containerPort: 13133}
  {{- end }}
# A store that is large or was killed takes its time: ten minutes. What has none waits for nobody.
startupProbe:
  httpGet: {path: {{ eq $admin "http-health" | ternary "/status" "/metrics" }}, port: {{ $admin }}}
  periodSeconds: 2
  failureThreshold: 300
readinessProbe:
  httpGet: {path: /status, port: {{ $admin }}}
  periodSeconds: 5
  timeoutSeconds: 3
# Not /status: who cannot take spans for want of a disk or of a collector is not helped by a restart.
livenessProbe:
  httpGet: {path: /metrics, port: http-admin}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - {name: config, mountPath: /etc/lymer, readOnly: true}
  {{- if include "lymer.tls" $root }}
  - {name: tls, mountPath: /etc/lymer-tls, readOnly: true}
  {{- end }}
  {{- if ne $role "query" }}
  - {name: data, mountPath: /data}
  {{- end }}
  {{- if include "lymer.asksClickhouse" (list $root $role) }}
  - {name: clickhouse, mountPath: /etc/lymer-clickhouse, readOnly: true}
  {{- end }}
  {{- if include "lymer.asksKafka" (list $root $role) }}
  - {name: kafka, mountPath: /etc/lymer-kafka, readOnly: true}
  {{- end }}
  - {name: tmp, mountPath: /tmp}
  {{- with $values.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* "true" where the Secret of the ClickHouse server, or of the brokers, is needed. Takes (list root role). */}}
{{- define "lymer.asksClickhouse" -}}
{{- $root := index . 0 -}}
{{- if and (or (eq (index . 1) (include "lymer.storing" $root)) (eq (index . 1) "query")) (include "lymer.clickhouse" $root) $root.Values.storage.clickhouse.existingSecret }}true{{ end -}}
{{- end -}}
{{- define "lymer.asksKafka" -}}
{{- $root := index . 0 -}}
{{- if and (has (index . 1) (list "collector" "ingester")) (include "lymer.kafka" $root) $root.Values.storage.kafka.existingSecret }}true{{ end -}}
{{- end -}}

{{- define "lymer.volumes" -}}
{{- $root := index . 0 -}}{{- $role := index . 1 -}}
- name: config
  configMap:
    name: {{ include "lymer.workload" . }}
{{- if include "lymer.tls" $root }}
- name: tls
  secret:
    secretName: {{ include "lymer.secret" . }}
{{- end }}
{{- if include "lymer.asksClickhouse" . }}
- name: clickhouse
  secret:
    secretName: {{ $root.Values.storage.clickhouse.existingSecret }}
{{- end }}
{{- if include "lymer.asksKafka" . }}
- name: kafka
  secret:
    secretName: {{ $root.Values.storage.kafka.existingSecret }}
{{- end }}
- name: tmp
  emptyDir: {}
{{- if eq $role "agent" }}
- name: data
  {{- if eq $root.Values.agent.buffer.type "hostPath" }}
  hostPath: {path: {{ $root.Values.agent.buffer.hostPath }}, type: DirectoryOrCreate}
  {{- else }}
  emptyDir: {}
  {{- end }}
{{- else if and (eq $role "collector") (include "lymer.kafka" $root) }}
# What came in is in the topic; nothing here outlives the pod.
- name: data
  emptyDir: {}
{{- else if ne $role "query" }}
{{- with $root.Values.storage.persistence }}
{{- if .existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
{{- else if not .enabled }}
- name: data
  emptyDir: {}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
