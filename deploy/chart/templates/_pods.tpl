{{- /* What head, driver and workers share. */ -}}
{{- define "dinostream.image" -}}
{{- printf "%s:%s" (.image.repository | default .Values.image.repository) (.image.tag | default .Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}

{{- define "dinostream.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "dinostream.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "dinostream.authEnvironment" -}}
- {name: RAY_AUTH_MODE, value: {{ .Values.ray.auth.mode }}}
{{- if eq .Values.ray.auth.mode "token" }}
- name: RAY_AUTH_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .Values.ray.auth.secret | default (printf "%s-ray-token" (include "dinostream.name" .)) }}
      key: {{ .Values.ray.auth.key }}
{{- end }}
{{- end -}}

{{- define "dinostream.environment" -}}
{{- range $name, $value := .Files.Get "files/ray-environment.yaml" | fromYaml }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{ include "dinostream.authEnvironment" . }}
- {name: DINOSTREAM_CACHE, value: {{ include "dinostream.home" . }}/cache}
{{- range .Values.secrets.env }}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
{{- end }}
{{- end -}}

{{- define "dinostream.secretVolumes" -}}
{{- range $n, $file := .Values.secrets.files }}
- name: secret-{{ $n }}
  secret: {secretName: {{ $file.secret }}, defaultMode: 0440}
{{- end }}
{{- end -}}

{{- define "dinostream.secretMounts" -}}
{{- range $n, $file := .Values.secrets.files }}
- {name: secret-{{ $n }}, mountPath: {{ $file.mountPath }}, readOnly: true}
{{- end }}
{{- end -}}

{{- /* Plain Ray has no HTTP health pages, and the image no wget, which KubeRay's own probes use. The raylet and the GCS
answer gRPC's health check, without the token. */ -}}
{{- define "dinostream.rayProbes" -}}
startupProbe: {grpc: {port: 6380}, periodSeconds: 5, failureThreshold: 36}
livenessProbe: {grpc: {port: {{ .port }}}, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6}
readinessProbe: {grpc: {port: 6380}, periodSeconds: 10, timeoutSeconds: 5}
{{- end -}}

{{- /* Fixed ports, for probes and firewalls. Frames travel inline, so the object store stays small. */ -}}
{{- define "dinostream.rayParams" -}}
object-store-memory: "268435456"
node-manager-port: "6380"
object-manager-port: "6381"
min-worker-port: "10002"
max-worker-port: "19999"
{{- end -}}

{{- define "dinostream.podShared" -}}
restartPolicy: Always
enableServiceLinks: false    # variables such as RAY_PORT of other services are not wanted
securityContext: {{- include "dinostream.podSecurity" . | nindent 2 }}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - {name: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}
