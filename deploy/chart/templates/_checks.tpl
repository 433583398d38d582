{{- /* What the schema cannot say: values that do not fit each other, or the cameras file. */ -}}
{{- define "dinostream.checks" -}}
{{- if not .Values.image.repository -}}
{{- fail "image.repository is empty: expected where you pushed the image of deploy/Dockerfile, such as registry.example/dinostream. Set it" -}}
{{- end -}}
{{- if and .Values.cameras .Values.existingConfigMap -}}
{{- fail "cameras and existingConfigMap are both set: expected one of them. Take one out" -}}
{{- end -}}
{{- if not (or .Values.cameras .Values.existingConfigMap) -}}
{{- fail "there are no cameras: expected --set-file cameras=cameras.yaml, or existingConfigMap with the key cameras.yaml" -}}
{{- end -}}
{{- range $name, $group := .Values.workers -}}
{{- if gt (int $group.min) (int $group.max) -}}
{{- fail (printf "workers.%s: expected min up to max, got min %d above max %d. Raise max, or lower min" $name (int $group.min) (int $group.max)) -}}
{{- end -}}
{{- end -}}
{{- if eq (include "dinostream.firstNodes" . | int) 0 -}}
{{- fail "no node has a core at start: expected head.cores or the min of a group of workers to be at least 1, got 0 everywhere. Set workers.cpu.min=1" -}}
{{- end -}}
{{- if .Values.cameras -}}
{{- $file := .Values.cameras | fromYaml -}}
{{- if hasKey $file "Error" -}}
{{- fail (printf "cameras is not YAML: %s. Check the file with `python main.py validate cameras.yaml`" (get $file "Error")) -}}
{{- end -}}
{{- $runtime := get $file "runtime" | default dict -}}
{{- $bind := get (get $runtime "http" | default dict) "bind" | default "nothing" -}}
{{- $wanted := printf "0.0.0.0:%d" (int .Values.http.port) -}}
{{- if ne $bind $wanted -}}
{{- fail (printf "cameras: runtime.http.bind: expected %s, which probes and Prometheus ask, got %s. Change it there, or http.port" $wanted $bind) -}}
{{- end -}}
{{- $state := get $runtime "state_dir" | default "nothing" -}}
{{- if ne $state (printf "%s/state" (include "dinostream.home" .)) -}}
{{- fail (printf "cameras: runtime.state_dir: expected %s/state, which lies on the state volume, got %s. Change it there" (include "dinostream.home" .) $state) -}}
{{- end -}}
{{- $ray := get $runtime "ray" | default "auto" -}}
{{- if ne $ray "auto" -}}
{{- fail (printf "cameras: runtime.ray: expected auto, which finds the cluster of this chart, got %s. Take it out" $ray) -}}
{{- end -}}
{{- end -}}
{{- end -}}
