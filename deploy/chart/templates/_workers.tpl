{{- /* One group of equal workers: {name, group, root}. */ -}}
{{- define "dinostream.workerGroup" -}}
{{- $home := include "dinostream.home" .root -}}
- groupName: {{ .name }}
  replicas: {{ .group.min }}
  minReplicas: {{ .group.min }}
  maxReplicas: {{ .root.Values.autoscaling.enabled | ternary .group.max .group.min }}
  rayStartParams:
    {{- include "dinostream.rayParams" .root | nindent 4 }}
  {{- with .group.place }}
  labels: {place: {{ . }}}
  {{- end }}
  template:
    metadata:
      labels: {{- include "dinostream.labels" .root | nindent 8 }}
    spec:
      {{- include "dinostream.podShared" .root | nindent 6 }}
      automountServiceAccountToken: false
      terminationGracePeriodSeconds: 30
      {{- with .group.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .group.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: ray-worker
          image: {{ include "dinostream.image" (dict "image" (.group.image | default dict) "Values" .root.Values "Chart" .root.Chart) }}
          imagePullPolicy: {{ .root.Values.image.pullPolicy }}
          env: {{- include "dinostream.environment" .root | trim | nindent 12 }}
          resources:
            {{- $size := dict "cpu" (toString .group.cores) "memory" .group.memory }}
            {{- with .group.gpus }}{{ $_ := set $size "nvidia.com/gpu" (toString .) }}{{ end }}
            requests: {{- toYaml $size | nindent 14 }}
            limits: {{- toYaml $size | nindent 14 }}
          securityContext: {{- include "dinostream.containerSecurity" .root | nindent 12 }}
          {{- include "dinostream.rayProbes" (dict "port" 6380) | nindent 10 }}
          volumeMounts:
            - {name: cache, mountPath: {{ $home }}}
            - {name: shared-memory, mountPath: /dev/shm}
            - {name: ray, mountPath: /tmp/ray}
            {{- with include "dinostream.secretMounts" .root | trim }}{{ . | nindent 12 }}{{ end }}
      volumes:
        - name: cache
          emptyDir: {sizeLimit: {{ .root.Values.cache }}}
        - name: shared-memory
          emptyDir: {medium: Memory, sizeLimit: {{ .root.Values.ray.sharedMemory }}}
        - name: ray
          emptyDir: {}
        {{- with include "dinostream.secretVolumes" .root | trim }}{{ . | nindent 8 }}{{ end }}
{{- end -}}
