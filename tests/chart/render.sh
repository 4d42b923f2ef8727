# What the recipes become, with Helm 3 and 4. Sourced by `run`.

render_tests() {
  local helm recipe name values
  for helm in helm3 helm4; do
    mkdir -p "$out/$helm"
    for recipe in $chart/ci/*-values.yaml; do
      name=$(basename "$recipe" -values.yaml)
      check "lint --strict of $name ($helm)" "$bin/$helm" lint --strict $chart --values "$recipe"
      values=$out/$helm/$name.yaml
      check "template of $name ($helm)" template "$helm" "$values" $chart --values "$recipe"
    done
    subchart "$helm"
  done
  for recipe in "$out"/helm4/*.yaml; do
    name=$(basename "$recipe" .yaml)
    check "Helm 3 and 4 render the same of $name" diff -I '^ *$' "$out/helm3/$name.yaml" "$recipe"
    check "kubeconform --strict of $name" "$bin/kubeconform" -strict -skip KafkaUser \
      -schema-location "$tools/schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$recipe"
    talon_takes "$name" "$recipe"
  done
  rendered_details
}

# template HELM OUT CHART ARGUMENT…
template() {
  local helm=$1 to=$2
  shift 2
  "$bin/$helm" template rel --kube-version "$kube_version" "$@" --namespace desk >"$to"
}

subchart() {
  local helm=$1 parent=$out/$1/parent
  # Away from the chart, of which it is a part.
  cp -r $chart/ci/subchart "$parent"
  sed -i "s|file://.*|file://$PWD/$chart|" "$parent/Chart.yaml"
  check "the chart as a subchart: dependencies ($helm)" "$bin/$helm" dependency update "$parent"
  check "the chart as a subchart: lint --strict ($helm)" "$bin/$helm" lint --strict "$parent"
  check "the chart as a subchart: template ($helm)" template "$helm" "$out/$helm/subchart.yaml" "$parent"
  if grep -q 'kind: StatefulSet' "$out/$helm/subchart.yaml"; then
    pass "the chart as a subchart: it is there ($helm)"
  else
    fail "the chart as a subchart: it is there ($helm)"
  fi
  template "$helm" "$out/$helm/without" "$parent" --set talon.enabled=false
  lacks "the chart as a subchart: it goes with its condition ($helm)" "$out/$helm/without" 'kind: StatefulSet'
}

# `talon check` of what a recipe has for `talon run`. A build without TLS may miss that and nothing else.
talon_takes() {
  local name=$1 file=$2 program=${CARGO_TARGET_DIR:-target}/debug/talon said
  [ -x "$program" ] || { echo "skipped talon check of $name: $program is not built"; return 0; }
  configuration "$file" >"$out/$name.talon.yaml"
  if said=$("$program" check --config "$out/$name.talon.yaml" 2>&1); then
    pass "talon check of $name"
  elif grep -q 'build with `--features tls`' <<<"$said" &&
    ! grep -v -e ' problems\?:$' -e 'build with `--features tls`' -e '`bus.kafka.ssl\.' <<<"$said" | grep -q .; then
    pass "talon check of $name, but for TLS, which $program lacks"
  else
    fail "talon check of $name" "$said"
  fi
}

rendered_details() {
  local all=$out/helm4/everything.yaml three=$out/helm4/three-replicas.yaml nats=$out/helm4/nats-nkey-tls.yaml
  local sasl=$out/helm4/kafka-sasl-tls.yaml export=$out/helm4/enter-export.yaml
  holds "numbers survive" "$all" '^ +late.poll.interval.ms: 86400000$'
  lacks "no number becomes a power of ten" "$all" '[0-9]e\+[0-9]'
  holds "a number beyond a million as a text survives" "$all" 'threshold: "1000000"'
  holds "a text that looks like a number stays a text" "$all" 'talon.prefix: "0123456"'
  holds "the time to stop is shutdown.timeout.ms, rounded up, and the margin" "$all" 'terminationGracePeriodSeconds: 101$'
  holds "the port is that of http.listen, in its flat spelling too" "$all" 'containerPort: 9000$'
  lacks "http.listen is not set twice" "$all" 'http.listen: "0.0.0.0'
  lacks "no count is rendered where something scales" "$all" '^  replicas:'
  holds "three replicas are three" "$three" '^  replicas: 3$'
  holds "a pod of a StatefulSet has a place of its own on Kafka" "$three" 'bus.kafka.group.instance.id: "\$\{env:TALON_POD_NAMESPACE\}.\$\{env:TALON_POD_NAME\}"'
  lacks "a Deployment has none" "$all" 'group.instance.id'
  lacks "neither has NATS" "$nats" 'group.instance.id'
  holds "a spread gets the labels of the pods" "$three" '^ +app.kubernetes.io/component: bridge'
  holds "evictions of pods that are not ready are allowed" "$three" 'unhealthyPodEvictionPolicy: AlwaysAllow'
  holds "startup has the time of the largest recovery" "$export" 'failureThreshold: 180$'
  lacks "secrets are not mounted by subPath" "$sasl" 'subPath'
  holds "secrets are mounted as directories" "$sasl" 'mountPath: "/run/secrets/talon/kafka-ca"'
  lacks "no stringData" "$all" '^ *stringData:'
  holds "what the chart's secret has is base64" "$all" '"token": "bm90IHlldCBhIHNlY3JldA=="'
  holds "no token of a service account" "$three" '^ +automountServiceAccountToken: false'
  holds "no root" "$three" 'runAsNonRoot: true'
  holds "no writable root" "$three" 'readOnlyRootFilesystem: true'
  holds "the digest wins over the tag" "$all" 'image: "registry.example.org/team/talon@sha256:0+"'
  holds "alerts link to the page that the values name" "$sasl" 'runbook_url: https://wiki.example.org/talon/runbook#talondown'
  holds "the network is closed but for what is listed" "$sasl" 'policyTypes: \["Ingress","Egress"\]'
  holds "without egress rules only what comes in is limited" "$three" 'policyTypes: \["Ingress"\]'
  holds "dashboards carry the sidecar's label" "$sasl" 'grafana_dashboard: "1"'
  holds "common labels do not replace the chart's own" "$all" 'app.kubernetes.io/part-of: talon'
  holds "extra objects are templates" "$all" 'name: .?rel-talon-more'
  lacks "a name of the release is not doubled" "$three" 'talon-talon'
  # A changed configuration rolls, and nothing else does.
  template helm4 "$out/one" $chart --values $chart/ci/three-replicas-values.yaml
  template helm4 "$out/two" $chart --values $chart/ci/three-replicas-values.yaml --set config.talon.prefix=other
  if [ "$(grep checksum/config "$out/one")" = "$(grep checksum/config "$out/two")" ]; then
    fail "a changed configuration changes the annotation of the pods"
  else
    pass "a changed configuration changes the annotation of the pods"
  fi
}

refusal_tests() {
  local ok=(--values $chart/ci/contractor-values.yaml)
  refused "an empty configuration" 'config: is empty'
  refused "an unknown value" 'replica' "${ok[@]}" --set replica=3
  refused "an unknown value below another" 'repo' "${ok[@]}" --set image.repo=x
  refused "a negative number of replicas" 'replicas' "${ok[@]}" --set replicas=-1
  refused "a memory limit in thousandths" 'memory' "${ok[@]}" --set resources.limits.memory=400m
  refused "half of the pods as the budget" 'maxUnavailable' "${ok[@]}" --set-string podDisruptionBudget.maxUnavailable=50%
  refused "another kind" 'kind' "${ok[@]}" --set kind=DaemonSet
  refused "no pod at all for an autoscaler" 'minReplicas' "${ok[@]}" --set keda.minReplicas=0
  refused "an address that probes cannot reach" 'probes' "${ok[@]}" --set-string 'config.http\.listen=127.0.0.1:8083'
  refused "an address without a port" 'expected an address and a port' "${ok[@]}" --set-string 'config.http\.listen=all'
  refused "a time to stop that is no number" 'shutdown.timeout.ms' "${ok[@]}" --set-string 'config.shutdown\.timeout\.ms=soon'
  refused "an environment variable twice" 'is there twice' "${ok[@]}" --set 'extraEnv[0].name=A,extraEnv[0].value=1,extraEnv[1].name=A,extraEnv[1].value=2'
  refused "an Ingress without a host" 'ingress.host' "${ok[@]}" --set ingress.enabled=true
  refused "an HTTPRoute without a gateway" 'httpRoute.parentRefs' "${ok[@]}" --set httpRoute.enabled=true
  refused "KEDA without Prometheus" 'keda.prometheusAddress' "${ok[@]}" --set keda.enabled=true
  # What is wrong with a secret is said without the secret.
  local helm said
  for helm in helm3 helm4; do
    said=$("$bin/$helm" template t $chart --kube-version "$kube_version" "${ok[@]}" --set-json 'secretData={"token":[424242]}' 2>&1) && fail "a secret of another type ($helm)"
    if grep -q 424242 <<<"$said"; then fail "a refused secret is not shown ($helm)" "$said"; else pass "a refused secret is not shown ($helm)"; fi
  done
}
