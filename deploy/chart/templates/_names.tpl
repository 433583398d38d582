{{- define "dinostream.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "dinostream.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: dinostream
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- /* Labels that KubeRay puts on the pods of this cluster, and lets nobody change. */ -}}
{{- define "dinostream.pods" -}}
ray.io/cluster: {{ include "dinostream.name" . }}
{{- end -}}

{{- define "dinostream.config" -}}
{{- .Values.existingConfigMap | default (printf "%s-cameras" (include "dinostream.name" .)) -}}
{{- end -}}

{{- define "dinostream.claim" -}}
{{- .Values.state.existingClaim | default (printf "%s-state" (include "dinostream.name" .)) -}}
{{- end -}}

{{- /* Fixed, since the cameras file names paths below it and the image owns it. */ -}}
{{- define "dinostream.home" -}}/var/lib/dinostream{{- end -}}

{{- /* Groups that are not left out, in order of name. */ -}}
{{- define "dinostream.groups" -}}
{{- $found := dict -}}
{{- range $name, $group := .Values.workers -}}
{{- if gt (int $group.max) 0 -}}{{- $_ := set $found $name $group -}}{{- end -}}
{{- end -}}
{{- $found | toYaml -}}
{{- end -}}

{{- /* Nodes with cores that are there from the start: what the driver waits for. */ -}}
{{- define "dinostream.firstNodes" -}}
{{- $count := ternary 1 0 (gt (int .Values.head.cores) 0) -}}
{{- range $group := include "dinostream.groups" . | fromYaml -}}
{{- $count = add $count (int $group.min) -}}
{{- end -}}
{{- $count -}}
{{- end -}}
