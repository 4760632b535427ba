{{- define "tessera.name" -}}
{{- printf "%s-%s" .root.Release.Name .component | trunc 63 | trimSuffix "-" -}}
{{- end }}

{{- define "tessera.selector" -}}
app.kubernetes.io/name: tessera
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "tessera.labels" -}}
{{ include "tessera.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{- define "tessera.image" -}}
{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{- define "tessera.env" -}}
- name: TESSERA_REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ index .root.Values.redis.existingSecrets .component }}, key: url}}
- name: TESSERA_SCRATCH_URL
  valueFrom: {secretKeyRef: {name: {{ index .root.Values.redis.existingSecrets .component }}, key: scratch-url}}
{{- with .root.Values.storage }}
{{- with .endpointUrl }}
- {name: TESSERA_S3_ENDPOINT_URL, value: {{ . | quote }}}
{{- end }}
{{- with .publicUrl }}
- {name: TESSERA_S3_PUBLIC_URL, value: {{ . | quote }}}
{{- end }}
- {name: TESSERA_S3_BUCKET, value: {{ .bucket | quote }}}
- {name: TESSERA_S3_REGION, value: {{ .region | quote }}}
{{- with .existingSecret }}
- name: TESSERA_S3_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ . }}, key: access-key-id}}
- name: TESSERA_S3_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ . }}, key: secret-access-key}}
{{- end }}
{{- end }}
- {name: TESSERA_MODELS_FILE, value: /etc/tessera/models/models.toml}
- {name: TESSERA_METRICS_PORT, value: "9100"}
- {name: TESSERA_LOG_LEVEL, value: {{ .root.Values.logLevel | quote }}}
{{- with .root.Values.tracing.endpoint }}
- {name: TESSERA_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
{{- /* As JSON, since a large number would become 1e+06. */}}
- {name: TESSERA_{{ $name }}, value: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}}
{{- end }}
{{- end }}

{{- define "tessera.mounts" -}}
- {name: models, mountPath: /etc/tessera/models, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if .Values.redis.tls.caSecret }}
- {name: redis-ca, mountPath: /etc/tessera/redis-ca, readOnly: true}
{{- end }}
{{- end }}

{{- define "tessera.volumes" -}}
- name: models
  configMap: {name: {{ .Release.Name }}-models}
- name: tmp
  emptyDir: {}
{{- with .Values.redis.tls.caSecret }}
- name: redis-ca
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{- define "tessera.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tessera.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "tessera.podAnnotations" -}}
checksum/models: {{ .Values.models.file | sha256sum }}
{{- end }}

{{- define "tessera.placement" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
