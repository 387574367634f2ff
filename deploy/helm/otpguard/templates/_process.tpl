{{- /* Kind of process -> its port of metrics and health, as in streams/config. */ -}}
{{- define "otpguard.port" -}}
{{- get (dict "feed" 9466 "canary" 9467 "desk" 9469 "indexer" 9470 "notifier" 9471 "signal" 9472 "campaigns" 9473 "platforms" 9475 "memory" 9476) . -}}
{{- end }}

{{- define "otpguard.toolsImage" -}}
{{- with .Values.toolsImage -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- define "otpguard.consoleImage" -}}
{{- with .Values.consoleImage -}}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ end }}
{{- end }}
{{- end }}

{{- /*
A process that is neither worker nor adapter: Deployment, Service for scrapes, and what it may reach.
Argument: root; kind, a key of `otpguard.port`; name, of its resources; args; of, its values (username,
passwordSecret, replicas, env, ports, resources). As they are needed: image; env, more variables;
secrets, a list of name, secret and path; pages, a name and a port that others than Prometheus ask, and
`of.from`, who they are; grace, seconds that a stop may take; state, the size of a folder that
outlives the container and not the pod.
*/ -}}
{{- define "otpguard.process" -}}
{{- $root := .root }}
{{- $port := include "otpguard.port" .kind }}
{{- $replicas := .of.replicas | default 1 | int }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "otpguard.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
    otpguard/process: {{ .name }}
spec:
  replicas: {{ $replicas }}
  strategy: {type: {{ ternary "RollingUpdate" "Recreate" (gt $replicas 1) }}}
  selector:
    matchLabels:
      {{- include "otpguard.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ .kind }}
      otpguard/process: {{ .name }}
  template:
    metadata:
      labels:
        {{- include "otpguard.labels" $root | nindent 8 }}
        app.kubernetes.io/component: {{ .kind }}
        otpguard/process: {{ .name }}
      annotations:
        checksum/settings: {{ include (print $root.Template.BasePath "/settings.yaml") $root | sha256sum }}
    spec:
      serviceAccountName: {{ $root.Release.Name }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      terminationGracePeriodSeconds: {{ .grace | default 30 }}
      securityContext: {{- include "otpguard.podSecurity" $root | nindent 8 }}
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets: {{- toYaml . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ .kind }}
          image: {{ .image | default (include "otpguard.image" $root) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          args: {{ .args | toJson }}
          env:
            {{- include "otpguard.kafka" (dict "root" $root "username" .of.username) | nindent 12 }}
            {{- range $key, $value := .env }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
            {{- range $key, $value := .of.env }}
            - {name: {{ $key }}, value: {{ $value | quote }}}
            {{- end }}
          ports:
            - {name: metrics, containerPort: {{ $port }}}
            {{- with .pages }}
            - {name: {{ .name }}, containerPort: {{ .port }}}
            {{- end }}
          startupProbe:
            httpGet: {path: /health/live, port: metrics}
            periodSeconds: 5
            timeoutSeconds: 3
            failureThreshold: 30
          {{- include "otpguard.probes" $root | nindent 10 }}
          resources: {{- toYaml (.of.resources | default $root.Values.adapterResources) | nindent 12 }}
          securityContext: {{- include "otpguard.containerSecurity" $root | nindent 12 }}
          volumeMounts:
            {{- include "otpguard.mounts" $root | nindent 12 }}
            {{- range .secrets }}
            - {name: {{ .name }}, mountPath: {{ .path }}, readOnly: true}
            {{- end }}
            {{- if .state }}
            - {name: state, mountPath: /var/lib/otpguard}
            {{- end }}
      volumes:
        {{- include "otpguard.volumes" (dict "root" $root "passwordSecret" .of.passwordSecret) | nindent 8 }}
        {{- range .secrets }}
        - name: {{ .name }}
          secret: {secretName: {{ .secret }}, defaultMode: 0440}
        {{- end }}
        {{- with .state }}
        - name: state
          emptyDir: {sizeLimit: {{ . }}}
        {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "otpguard.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ .kind }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  ports:
    - {name: metrics, port: {{ $port }}, targetPort: metrics}
  selector:
    {{- include "otpguard.selector" $root | nindent 4 }}
    otpguard/process: {{ .name }}
{{- with .pages }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $root.Release.Name }}-{{ $.name }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "otpguard.labels" $root | nindent 4 }}
spec:
  ports:
    - {name: {{ .name }}, port: {{ .port }}, targetPort: {{ .name }}}
  selector:
    {{- include "otpguard.selector" $root | nindent 4 }}
    otpguard/process: {{ $.name }}
{{- end }}
{{- if and $root.Values.networkPolicy.enabled (or .of.ports .pages) }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ $root.Release.Name }}-{{ .name }}
  namespace: {{ $root.Release.Namespace }}
  labels: {{- include "otpguard.labels" $root | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "otpguard.selector" $root | nindent 6 }}
      otpguard/process: {{ .name }}
  policyTypes: [{{ if .pages }}Ingress{{ if .of.ports }}, {{ end }}{{ end }}{{ if .of.ports }}Egress{{ end }}]
  {{- if .pages }}
  ingress:
    - from: {{- toYaml .of.from | nindent 8 }}
      ports:
        - {protocol: TCP, port: {{ .pages.name }}}
  {{- end }}
  {{- with .of.ports }}
  egress:
    - ports:
        {{- range . }}
        - {protocol: TCP, port: {{ . }}}
        {{- end }}
  {{- end }}
{{- end }}
{{- end }}
