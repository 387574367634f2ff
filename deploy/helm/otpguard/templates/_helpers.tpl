{{- define "otpguard.labels" -}}
app.kubernetes.io/name: otpguard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "otpguard.selector" -}}
app.kubernetes.io/name: otpguard
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "otpguard.image" -}}
{{- with .Values.image -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /* Settings of Kafka as environment; the password is a file. Argument: root, username. */ -}}
{{- define "otpguard.kafka" -}}
- {name: OTPGUARD_CONFIG, value: /etc/otpguard/otpguard.toml}
- {name: OTPGUARD_MODE, value: {{ .root.Values.mode | quote }}}
- {name: OTPGUARD_KAFKA_BOOTSTRAP, value: {{ .root.Values.kafka.bootstrap | quote }}}
- {name: OTPGUARD_KAFKA_SECURITY, value: {{ .root.Values.kafka.security | quote }}}
{{- if eq .root.Values.kafka.security "sasl_ssl" }}
- {name: OTPGUARD_KAFKA_USERNAME, value: {{ .username | quote }}}
- {name: OTPGUARD_KAFKA_PASSWORD_FILE, value: /etc/otpguard/kafka/password}
{{- if .root.Values.kafka.caSecret }}
- {name: OTPGUARD_KAFKA_CA_FILE, value: /etc/otpguard/ca/ca.crt}
{{- end }}
{{- end }}
# The NetworkPolicy says who may scrape; within the pod's network alone it could not be scraped.
- {name: OTPGUARD_HTTP_HOST, value: 0.0.0.0}
- {name: OTPGUARD_WORKER_DATA_DIR, value: /tmp/otpguard}
{{- end }}

{{- define "otpguard.mounts" -}}
- {name: settings, mountPath: /etc/otpguard/otpguard.toml, subPath: otpguard.toml, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- if eq .Values.kafka.security "sasl_ssl" }}
- {name: kafka, mountPath: /etc/otpguard/kafka, readOnly: true}
{{- if .Values.kafka.caSecret }}
- {name: ca, mountPath: /etc/otpguard/ca, readOnly: true}
{{- end }}
{{- end }}
{{- end }}

{{- /* Argument: root, passwordSecret. */ -}}
{{- define "otpguard.volumes" -}}
- name: settings
  configMap: {name: {{ .root.Release.Name }}-settings}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if eq .root.Values.kafka.security "sasl_ssl" }}
- name: kafka
  secret: {secretName: {{ .passwordSecret }}, defaultMode: 0440}
{{- with .root.Values.kafka.caSecret }}
- name: ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}

{{- /* Variables of what takes or signs the network's list, as a dict; empty without its key. */ -}}
{{- define "otpguard.hot" -}}
{{- $env := dict }}
{{- with .Values.hot.keySecret }}
{{- $env = dict "OTPGUARD_DETECT_HOT" "network" "OTPGUARD_DETECT_HOT_KEY_FILE" "/etc/otpguard/hot/key" }}
{{- if $.Values.hot.oldKey }}
{{- $env = set $env "OTPGUARD_DETECT_HOT_OLD_KEY_FILE" "/etc/otpguard/hot/old" }}
{{- end }}
{{- end }}
{{- toJson $env }}
{{- end }}

{{- define "otpguard.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "otpguard.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "otpguard.probes" -}}
# Alive is a beating event loop; whether Kafka answers is no reason to restart.
livenessProbe:
  httpGet: {path: /health/live, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 3
readinessProbe:
  httpGet: {path: /health/ready, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
{{- end }}

{{- /*
A gate for the pod of a gateway, whose chart has this one as a subchart:
  containers:
    - (the gateway)
    {{- include "otpguard.gate" (dict "root" .Subcharts.otpguard "name" "smsc-1" "username" "otpguard-gate") | nindent 4 }}
  volumes:
    {{- include "otpguard.gateVolumes" (dict "root" .Subcharts.otpguard "passwordSecret" "otpguard-gate") | nindent 4 }}
The gateway asks at 127.0.0.1:9080, or at /run/otpguard/gate.sock where it mounts `otpguard-run`. Ready
means that it answers: while it has no leases yet, or Kafka is away, it answers "pass", and the
gateway's pod takes messages.
*/ -}}
{{- define "otpguard.gate" -}}
- name: otpguard-gate
  image: {{ include "otpguard.toolsImage" .root }}
  imagePullPolicy: {{ .root.Values.image.pullPolicy }}
  args: [gate, serve, --gateway-id, {{ .name | quote }}]
  env:
    {{- include "otpguard.kafka" (dict "root" .root "username" .username) | nindent 4 }}
    - {name: OTPGUARD_GATE_SPOOL_DIR, value: /var/lib/otpguard/gate}
    - {name: OTPGUARD_GATE_SOCKET, value: /run/otpguard/gate.sock}
  ports:
    - {name: gate-metrics, containerPort: 9468}
  startupProbe:
    httpGet: {path: /health/live, port: gate-metrics}
    periodSeconds: 2
    timeoutSeconds: 3
    failureThreshold: 60
  livenessProbe:
    httpGet: {path: /health/live, port: gate-metrics}
    periodSeconds: 10
    timeoutSeconds: 3
  resources:
    requests: {cpu: 500m, memory: 256Mi}
    limits: {memory: 1Gi} # no limit of CPU: messages wait for it
  securityContext:
    runAsUser: 10001
    runAsGroup: 10001
    {{- include "otpguard.containerSecurity" .root | nindent 4 }}
  volumeMounts:
    - {name: otpguard-settings, mountPath: /etc/otpguard/otpguard.toml, subPath: otpguard.toml, readOnly: true}
    - {name: otpguard-tmp, mountPath: /tmp}
    - {name: otpguard-run, mountPath: /run/otpguard}
    - {name: otpguard-spool, mountPath: /var/lib/otpguard/gate}
    {{- if eq .root.Values.kafka.security "sasl_ssl" }}
    - {name: otpguard-kafka, mountPath: /etc/otpguard/kafka, readOnly: true}
    {{- if .root.Values.kafka.caSecret }}
    - {name: otpguard-ca, mountPath: /etc/otpguard/ca, readOnly: true}
    {{- end }}
    {{- end }}
{{- end }}

{{- define "otpguard.gateVolumes" -}}
- name: otpguard-settings
  configMap: {name: {{ .root.Release.Name }}-settings}
- name: otpguard-tmp
  emptyDir: {sizeLimit: 64Mi}
- name: otpguard-run
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: otpguard-spool # outlives the container; a claim of your own outlives the pod
  emptyDir: {sizeLimit: 2Gi}
{{- if eq .root.Values.kafka.security "sasl_ssl" }}
- name: otpguard-kafka
  secret: {secretName: {{ .passwordSecret }}, defaultMode: 0440}
{{- with .root.Values.kafka.caSecret }}
- name: otpguard-ca
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
{{- end }}
