{{/* The settings below `map` by their full dotted keys, as YAML. */}}
{{- define "talon.flat" -}}
{{- range $key, $value := .map }}
{{- $path := empty $.prefix | ternary $key (printf "%s.%s" $.prefix $key) }}
{{- if kindIs "map" $value }}
{{ include "talon.flat" (dict "prefix" $path "map" $value) }}
{{- else if not (kindIs "invalid" $value) }}
{{ toJson $path }}: {{ toJson $value }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "talon.settings" -}}
{{ include "talon.flat" (dict "prefix" "" "map" .Values.config) }}
{{- end -}}

{{/* Whether the bus is Kafka: a text that is empty if not. */}}
{{- define "talon.kafka" -}}
{{- range $key, $_ := include "talon.settings" . | fromYaml -}}
{{- if hasPrefix "bus.kafka." $key }}yes{{ end -}}
{{- end -}}
{{- end -}}

{{- define "talon.listen" -}}
{{- get (include "talon.settings" . | fromYaml) "http.listen" | default "0.0.0.0:8083" -}}
{{- end -}}

{{- define "talon.port" -}}
{{- $listen := include "talon.listen" . -}}
{{- if regexMatch "^(127\\.|localhost|\\[::1\\])" $listen -}}
{{- fail (printf "config: `http.listen` is `%s`, which neither probes nor Prometheus can reach; leave it out, or set `0.0.0.0:8083`" $listen) -}}
{{- end -}}
{{- $port := regexFind "[0-9]+$" $listen -}}
{{- if not $port -}}
{{- fail (printf "config: `http.listen` is `%s`, expected an address and a port such as `0.0.0.0:8083`" $listen) -}}
{{- end -}}
{{- $port -}}
{{- end -}}

{{/* `shutdown.timeout.ms` in whole seconds, rounded up, and the margin. */}}
{{- define "talon.grace" -}}
{{- $timeout := get (include "talon.settings" . | fromYaml) "shutdown.timeout.ms" | default 25000 -}}
{{- if kindIs "float64" $timeout -}}{{- $timeout = int64 $timeout -}}{{- end -}}
{{- if not (regexMatch "^[0-9]+$" (toString $timeout)) -}}
{{- fail (printf "config: `shutdown.timeout.ms` is `%v`, expected milliseconds: the time that Kubernetes leaves a pod is made from it" $timeout) -}}
{{- end -}}
{{- add (div (add (int64 (toString $timeout)) 999) 1000) (int64 .Values.shutdownMarginSeconds) -}}
{{- end -}}

{{/* Fails where a setting refers to a secret that is mounted nowhere: the pods would not start, and `talon check` reads no files. */}}
{{- define "talon.secretsMounted" -}}
{{- $places := list -}}
{{- range .Values.existingSecrets }}{{ $places = append $places (printf "/run/secrets/talon/%s/" .) }}{{ end -}}
{{- if .Values.secretData }}{{ $places = append $places "/run/secrets/talon/chart/" }}{{ end -}}
{{- range .Values.extraVolumeMounts }}{{ $places = append $places (printf "%s/" (trimSuffix "/" .mountPath)) }}{{ end -}}
{{- range $key, $value := include "talon.settings" . | fromYaml -}}
{{- range $path := regexFindAll "/run/secrets/talon/[^\"}, ]*" (toJson $value) -1 -}}
{{- $found := false -}}
{{- range $places }}{{ if hasPrefix . $path }}{{ $found = true }}{{ end }}{{ end -}}
{{- if not $found -}}
{{- fail (printf "config: `%s` refers to `%s`, which is mounted nowhere; expected a key of a secret in `existingSecrets`, which are: %s" $key $path (join ", " $.Values.existingSecrets | default "none")) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The file that `talon run` gets. */}}
{{- define "talon.config" -}}
{{- if not .Values.config -}}
{{- fail "config: is empty, expected the settings of Talon: a bus and at least one connector (see the chart's README)" -}}
{{- end -}}
{{- include "talon.secretsMounted" . -}}
{{- $settings := include "talon.settings" . | fromYaml -}}
{{ toYaml .Values.config }}
{{- if not (get $settings "http.listen") }}
http.listen: {{ include "talon.listen" . | quote }}
{{- end }}
{{- if and (include "talon.kafka" .) (eq .Values.kind "StatefulSet") (not (get $settings "bus.kafka.group.instance.id")) }}
bus.kafka.group.instance.id: "${env:TALON_POD_NAMESPACE}.${env:TALON_POD_NAME}"
{{- end }}
{{- end -}}
