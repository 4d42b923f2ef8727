{{- define "talon.env" -}}
{{- $names := dict "TALON_POD_NAME" true "TALON_POD_NAMESPACE" true -}}
- name: TALON_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: TALON_POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- range .Values.extraEnv }}
{{- if get $names .name }}{{ fail (printf "extraEnv: `%s` is there twice, or is the chart's own; Kubernetes refuses that" .name) }}{{ end }}
{{- $_ := set $names .name true }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "talon.mounts" -}}
- name: config
  mountPath: /etc/talon
  readOnly: true
{{- range .Values.existingSecrets }}
- name: {{ printf "secret-%s" (. | sha256sum | trunc 12) }}
  mountPath: {{ printf "/run/secrets/talon/%s" . | quote }}
  readOnly: true
{{- end }}
{{- if .Values.secretData }}
- name: secret-chart
  mountPath: /run/secrets/talon/chart
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Whole directories, so that the kubelet brings in what changes. 288 is 0440. */}}
{{- define "talon.volumes" -}}
- name: config
  configMap:
    name: {{ include "talon.fullname" . }}
{{- range .Values.existingSecrets }}
- name: {{ printf "secret-%s" (. | sha256sum | trunc 12) }}
  secret:
    secretName: {{ . | quote }}
    defaultMode: 288
{{- end }}
{{- if .Values.secretData }}
- name: secret-chart
  secret:
    secretName: {{ include "talon.fullname" . }}
    defaultMode: 288
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A container without its ports and probes: `include "talon.container" (list $ NAME ARGS)`. */}}
{{- define "talon.container" -}}
{{- $root := index . 0 -}}
name: {{ index . 1 }}
image: {{ include "talon.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
args: {{ index . 2 | toJson }}
env:
  {{- include "talon.env" $root | nindent 2 }}
{{- with $root.Values.extraEnvFrom }}
envFrom:
  {{- toYaml . | nindent 2 }}
{{- end }}
resources:
  {{- toYaml $root.Values.resources | nindent 2 }}
securityContext:
  {{- toYaml $root.Values.securityContext | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  {{- include "talon.mounts" $root | nindent 2 }}
{{- end -}}

{{/* What the pods of the workload and of `helm test` have in common. */}}
{{- define "talon.podBasics" -}}
serviceAccountName: {{ include "talon.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumes:
  {{- include "talon.volumes" . | nindent 2 }}
{{- end -}}
