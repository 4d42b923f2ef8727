{{- define "talon.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* At most 52 characters, since a StatefulSet's pods get a suffix and a label of 63. */}}
{{- define "talon.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "talon.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Labels by which the pods of this release are selected; they never change. */}}
{{- define "talon.selectorLabels" -}}
app.kubernetes.io/name: {{ include "talon.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Those of the pods that run connectors, which the pod of `helm test` does not. */}}
{{- define "talon.bridgeLabels" -}}
{{ include "talon.selectorLabels" . }}
app.kubernetes.io/component: bridge
{{- end -}}

{{/* Labels of an object: `include "talon.labels" (list $ EXTRA…)`, where EXTRA are maps; each key once, and the chart's own win. */}}
{{- define "talon.labels" -}}
{{- $root := index . 0 -}}
{{- $own := dict
      "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-")
      "app.kubernetes.io/version" (default $root.Chart.AppVersion $root.Values.image.tag | toString | trunc 63 | trimSuffix "-" | trimSuffix "." | trimSuffix "_")
      "app.kubernetes.io/part-of" "talon"
      "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- $own = merge $own (include "talon.selectorLabels" $root | fromYaml) -}}
{{- range rest . -}}
{{- $own = merge $own . -}}
{{- end -}}
{{- toYaml (merge $own $root.Values.commonLabels) -}}
{{- end -}}

{{- define "talon.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "talon.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "talon.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag | toString) -}}
{{- end -}}
{{- end -}}
