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

# The configuration that a rendered file has for `talon run`.
configuration() { awk '/^  talon.yaml: \|/ {on = 1; next} on && !/^(    |$)/ {exit} on {sub(/^    /, ""); print}' "$1"; }

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

# `talon check` of what a recipe has for `talon run`.
talon_takes() {
  local name=$1 file=$2 program=${CARGO_TARGET_DIR:-target}/debug/talon said
  [ -x "$program" ] || { echo "skipped talon check of $name: $program is not built"; return 0; }
  configuration "$file" >"$out/$name.talon.yaml"
  if said=$("$program" check --config "$out/$name.talon.yaml" 2>&1); then
    pass "talon check of $name"
  else
    fail "talon check of $name" "$said"
  fi
}

# What single recipes show, beside what `properties.py` says of all.
rendered_details() {
  local all=$out/helm4/everything.yaml sasl=$out/helm4/kafka-sasl-tls.yaml
  properties
  holds "the digest wins over the tag" "$all" 'image: "registry.example.org/team/talon@sha256:0+"'
  holds "a number beyond a million is a text where it has to be" "$all" 'threshold: "1000000"'
  holds "alerts link to the page that the values name" "$sasl" 'runbook_url: https://wiki.example.org/talon/runbook#talondown'
  holds "extra objects are templates" "$all" 'name: .?rel-talon-more'
  # A changed configuration rolls, and nothing else does.
  template helm4 "$out/one" $chart --values $chart/ci/three-replicas-values.yaml
  template helm4 "$out/two" $chart --values $chart/ci/three-replicas-values.yaml --set config.talon.prefix=other
  if [ "$(grep checksum/config "$out/one")" = "$(grep checksum/config "$out/two")" ]; then
    fail "a changed configuration changes the annotation of the pods"
  else
    pass "a changed configuration changes the annotation of the pods"
  fi
}

# Its tests count as tests of this run.
properties() {
  local line
  while IFS= read -r line; do
    case $line in
      ok*) pass "${line#ok      }" ;;
      FAILED*) fail "${line#FAILED  }" ;;
      *) printf '%s\n' "$line" ;;
    esac
  done < <("$tools/python/bin/python" $here/properties.py $chart "$out/helm4" 2>&1 || echo "FAILED  properties.py: status $?")
}

# refused NAME REGEX ARGUMENT…: both Helms refuse these values, and say why.
refused() {
  local name=$1 regex=$2 helm
  shift 2
  for helm in helm3 helm4; do
    refuses "$name ($helm)" "$regex" "$bin/$helm" template t $chart --kube-version "$kube_version" "$@"
  done
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
  refused "a secret that is mounted nowhere" 'auth.external.token. refers to ./run/secrets/talon/field-service/token., which is mounted nowhere.*: field$' "${ok[@]}" --set 'existingSecrets={field}'
  refused "an Ingress without a host" 'ingress.host' "${ok[@]}" --set ingress.enabled=true
  refused "an HTTPRoute without a gateway" 'httpRoute.parentRefs' "${ok[@]}" --set httpRoute.enabled=true
  refused "more pods at least than at most" 'keda.minReplicas: is 5, expected at most' "${ok[@]}" --set keda.enabled=true,keda.prometheusAddress=x,keda.minReplicas=5
  refused "KEDA without Prometheus" 'keda.prometheusAddress' "${ok[@]}" --set keda.enabled=true
  # What is wrong with a secret is said without the secret.
  local helm said
  for helm in helm3 helm4; do
    said=$("$bin/$helm" template t $chart --kube-version "$kube_version" "${ok[@]}" --set-json 'secretData={"token":[424242]}' 2>&1) && fail "a secret of another type ($helm)"
    if grep -q 424242 <<<"$said"; then fail "a refused secret is not shown ($helm)" "$said"; else pass "a refused secret is not shown ($helm)"; fi
  done
}
