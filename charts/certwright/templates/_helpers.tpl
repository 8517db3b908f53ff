{{/*
Names are those of cert-manager's chart, whatever this chart is called: an installed release of it is
taken over in place, because objects and the (immutable) selectors of Deployments stay the same.
*/}}
{{- define "certwright.name" -}}
{{- default "cert-manager" .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "certwright.fullname" -}}
{{- $name := default "cert-manager" .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "certwright.namespace" -}}
{{- .Values.namespace | default .Release.Namespace -}}
{{- end -}}

{{/*
A component, for the templates below: {root, app, component, name, values}.
Usage: include "certwright.component" (dict "root" . "is" "webhook") | fromYaml
*/}}
{{- define "certwright.controller.fullname" -}}{{ include "certwright.fullname" . }}{{- end -}}
{{- define "certwright.webhook.fullname" -}}
{{ include "certwright.fullname" . | trunc 55 | trimSuffix "-" }}-webhook
{{- end -}}
{{- define "certwright.cainjector.fullname" -}}
{{ include "certwright.fullname" . | trunc 52 | trimSuffix "-" }}-cainjector
{{- end -}}
{{- define "certwright.startupapicheck.fullname" -}}
{{- printf "%s-startupapicheck" (include "certwright.fullname" . | trunc 52 | trimSuffix "-") | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Name of the ServiceAccount of a component. Takes (list root component values). */}}
{{- define "certwright.account" -}}
{{- $root := index . 0 -}}{{- $values := index . 2 -}}
{{- if $values.serviceAccount.create -}}
{{- default (include (printf "certwright.%s.fullname" (index . 1)) $root) $values.serviceAccount.name -}}
{{- else -}}
{{- default "default" $values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels that Services and Deployments select by. Takes (list root component). */}}
{{- define "certwright.selector" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
app.kubernetes.io/name: {{ ternary (include "certwright.name" $root) $component (eq $component "controller") }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ $component | quote }}
{{- end -}}

{{/*
Labels of an object. Takes (list root component extra...), where each extra is a map or nothing. A
label that is given twice is the last one's; none replaces what is selected by.
*/}}
{{- define "certwright.labels" -}}
{{- $root := index . 0 -}}{{- $component := index . 1 -}}
{{- $fixed := include "certwright.selector" (list $root $component) | fromYaml -}}
{{- $made := dict "app" (index $fixed "app.kubernetes.io/name") "app.kubernetes.io/version" $root.Chart.AppVersion -}}
{{- if eq (default "helm" $root.Values.creator) "helm" -}}
{{- $_ := set $made "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $_ := set $made "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") -}}
{{- end -}}
{{- $made = mergeOverwrite $made (deepCopy (default dict $root.Values.global.commonLabels)) -}}
{{- range (slice . 2) -}}
{{- $made = mergeOverwrite $made (deepCopy (default dict .)) -}}
{{- end -}}
{{- toYaml (mergeOverwrite $made $fixed) -}}
{{- end -}}

{{/* name, namespace and labels. Takes (list root component name extra-labels...). */}}
{{- define "certwright.metadata" -}}
{{- $root := index . 0 -}}
name: {{ index . 2 }}
namespace: {{ include "certwright.namespace" $root }}
labels:
  {{- include "certwright.labels" (concat (list $root (index . 1)) (slice . 3)) | nindent 2 }}
{{- end -}}

{{/* The same for what belongs to no namespace. */}}
{{- define "certwright.clusterMetadata" -}}
name: {{ index . 2 }}
labels:
  {{- include "certwright.labels" (concat (list (index . 0) (index . 1)) (slice . 3)) | nindent 2 }}
{{- end -}}

{{/* Reference of an image. Takes (list root image). A digest wins over a tag. */}}
{{- define "certwright.image" -}}
{{- $image := index . 1 -}}
{{- if $image.registry }}{{ $image.registry }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest }}@{{ $image.digest }}{{ else }}:{{ default (index . 0).Chart.AppVersion $image.tag }}{{ end -}}
{{- end -}}

{{/* Flags of the election of a leader. */}}
{{- define "certwright.leaderElection" -}}
{{- with .Values.global.leaderElection }}
- --leader-election-namespace={{ .namespace }}
{{- if .leaseDuration }}
- --leader-election-lease-duration={{ .leaseDuration }}
{{- end }}
{{- if .renewDeadline }}
- --leader-election-renew-deadline={{ .renewDeadline }}
{{- end }}
{{- if .retryPeriod }}
- --leader-election-retry-period={{ .retryPeriod }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "certwright.logLevel" -}}
{{- if .Values.global.logLevel }}
- --v={{ .Values.global.logLevel }}
{{- end }}
{{- end -}}

{{/* The environment that every container has. */}}
{{- define "certwright.env" -}}
- name: POD_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end -}}

{{/* What comes first in a pod's spec. Takes (list root component values). */}}
{{- define "certwright.pod" -}}
{{- $root := index . 0 -}}{{- $values := index . 2 -}}
serviceAccountName: {{ include "certwright.account" . }}
{{- if hasKey $values "automountServiceAccountToken" }}
automountServiceAccountToken: {{ $values.automountServiceAccountToken }}
{{- end }}
{{- with $root.Values.global.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What comes first in a container. Takes (list root component values command...). */}}
{{- define "certwright.container" -}}
{{- $values := index . 2 -}}
name: cert-manager-{{ index . 1 }}
image: {{ include "certwright.image" (list (index . 0) $values.image) | quote }}
{{- with $values.image.pullPolicy }}
imagePullPolicy: {{ . }}
{{- end }}
command:
  {{- toYaml (slice . 3) | nindent 2 }}
{{- with $values.containerSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* Timing of a probe. */}}
{{- define "certwright.probeTiming" -}}
{{- range (list "initialDelaySeconds" "periodSeconds" "timeoutSeconds" "successThreshold" "failureThreshold") }}
{{ . }}: {{ index $ . }}
{{- end }}
{{- end -}}

{{/*
Everything of a role or a binding but its rules. Takes (list root component name namespace labels);
without a namespace it is the cluster's. Two ClusterRoles of the original have the component
"cert-manager" and yet the controller's name.
*/}}
{{- define "certwright.rbacMetadata" -}}
{{- $root := index . 0 -}}
{{- $odd := eq (index . 1) "cert-manager" -}}
metadata:
  name: {{ index . 2 }}
  {{- with index . 3 }}
  namespace: {{ . }}
  {{- end }}
  labels:
    {{- $labels := include "certwright.labels" (list $root (ternary "controller" (index . 1) $odd) (index . 4)) | fromYaml }}
    {{- if $odd }}
    {{- $_ := set $labels "app.kubernetes.io/component" "cert-manager" }}
    {{- end }}
    {{- toYaml $labels | nindent 4 }}
{{- end -}}

{{- define "certwright.role" -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ ternary "Role" "ClusterRole" (not (empty (index . 3))) }}
{{ include "certwright.rbacMetadata" (append . (ternary (last .) (dict) (kindIs "map" (last .)))) }}
{{- end -}}

{{/* Binds a role to the account of a component. Takes (list root component name namespace whose). */}}
{{- define "certwright.binding" -}}
{{- $root := index . 0 -}}{{- $whose := index . 4 -}}
{{- $values := ternary $root.Values (index $root.Values $whose) (eq $whose "controller") -}}
{{- $kind := ternary "Role" "ClusterRole" (not (empty (index . 3))) -}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: {{ $kind }}Binding
{{ include "certwright.rbacMetadata" (list $root (index . 1) (index . 2) (index . 3) (dict)) }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ $kind }}
  name: {{ index . 2 }}
subjects:
  - kind: ServiceAccount
    name: {{ include "certwright.account" (list $root $whose $values) }}
    namespace: {{ include "certwright.namespace" $root }}
{{- end -}}
