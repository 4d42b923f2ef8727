# An installation, an upgrade, a rollback and an uninstall on a real API server, with Helm 3 and 4. Sourced by `run`.

. "$here/cluster/server.sh"

cluster_tests() {
  local helm crd
  mkdir -p "$out"
  start_server
  for crd in $(crd_files); do kube apply --server-side -f "$crd" >/dev/null; done
  kube apply --server-side -f $here/cluster/objects.yaml >/dev/null
  kube wait --for condition=established --timeout 60s crd --all >/dev/null
  for helm in helm3 helm4; do
    space=desk-$helm
    kube create namespace "$space" >/dev/null
    kube label namespace "$space" pod-security.kubernetes.io/{enforce,warn,audit}=restricted >/dev/null
    recipes_install "$helm"
    release_lives "$helm"
    release_meets_hands "$helm"
    secrets_go "$helm"
    wrong_ones_are_refused "$helm"
  done
}

# in_space COMMAND…: kubectl in the namespace of the test.
in_space() { kube --namespace "$space" "$@"; }
# release HELM COMMAND…
release() { "$bin/$1" "${@:2}" --namespace "$space"; }
# field WORKLOAD PATH: what the server has.
field() { in_space get "$1" -o "jsonpath={$2}"; }
checksum() { field "$1" '.spec.template.metadata.annotations.checksum/config'; }
same() { if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "\`$2\` is not \`$3\`"; fi; }
different() { if [ "$2" != "$3" ]; then pass "$1"; else fail "$1" "both are \`$2\`"; fi; }

# What a release left, of the kinds that the chart can make.
left() {
  in_space get -o name -l "app.kubernetes.io/instance=$1" \
    statefulsets,deployments,services,configmaps,secrets,serviceaccounts,networkpolicies,poddisruptionbudgets,ingresses,pods,podmonitors,servicemonitors,prometheusrules,scaledobjects,httproutes
}

# installs HELM RELEASE ARGUMENT…: without a warning of the server.
installs() {
  local said
  said=$(release "$1" install "$2" $chart "${@:3}" 2>&1) || { echo "$said"; return 1; }
  if grep -iE '^W[0-9]{4} |warn' <<<"$said"; then return 1; fi
}

# The pod of a workload, admitted as its controller would have it made.
pod_is_admitted() {
  in_space get "$1" -o json |
    "$tools/python/bin/python" -c 'import json, sys
template = json.load(sys.stdin)["spec"]["template"]
template["metadata"]["name"] = "as-its-controller-would"
print(json.dumps({"apiVersion": "v1", "kind": "Pod", **template}))' |
    in_space create --dry-run=server -f -
}

recipes_install() {
  local helm=$1 recipe name kind
  for recipe in $chart/ci/*-values.yaml; do
    name=$(basename "$recipe" -values.yaml)
    check "$name installs without a warning ($helm)" installs "$helm" "$name" --values "$recipe" \
      --set fullnameOverride="$name"
    kind=$(in_space get statefulsets,deployments -o name -l "app.kubernetes.io/instance=$name")
    check "restricted pod security admits the pods of $name ($helm)" pod_is_admitted "$kind"
    check "$name is uninstalled ($helm)" release "$helm" uninstall "$name"
    same "nothing of $name is left ($helm)" "$(left "$name")" ""
  done
}

release_lives() {
  local helm=$1 values=(--values $chart/ci/three-replicas-values.yaml) first second
  check "a release is installed ($helm)" installs "$helm" talon "${values[@]}"
  same "it has its replicas ($helm)" "$(field statefulset/talon .spec.replicas)" 3
  first=$(checksum statefulset/talon)
  check "an upgrade without a change ($helm)" release "$helm" upgrade talon $chart "${values[@]}"
  same "it restarts nothing ($helm)" "$(field statefulset/talon .metadata.generation)" 1
  check "an upgrade to another configuration ($helm)" release "$helm" upgrade talon $chart "${values[@]}" --set config.talon.prefix=other
  second=$(checksum statefulset/talon)
  different "it rolls the pods ($helm)" "$first" "$second"
  check "a rollback ($helm)" release "$helm" rollback talon 1
  same "the first configuration is back ($helm)" "$(checksum statefulset/talon)" "$first"
  helm_test "$helm"
  check "an uninstall ($helm)" release "$helm" uninstall talon
  same "nothing is left but the hook's pod ($helm)" "$(left talon)" "pod/talon-check"
  in_space delete pod talon-check --force --grace-period 0 >/dev/null 2>&1
}

# There is no kubelet; the test says of the pod what one would.
helm_test() {
  (
    for _ in $(seq 120); do
      curl --silent --fail --insecure --output /dev/null --request PATCH \
        --header 'Authorization: Bearer admin-token' --header 'Content-Type: application/merge-patch+json' \
        --data '{"status": {"phase": "Succeeded"}}' "$server/api/v1/namespaces/$space/pods/talon-check/status" && break
      sleep 0.5
    done
  ) &
  check "helm test waits for the pod that checks ($1)" release "$1" test talon --timeout 60s
  wait $!
}

release_meets_hands() {
  local helm=$1 values=(--values $chart/ci/three-replicas-values.yaml)
  check "a release that hands get at ($helm)" installs "$helm" talon "${values[@]}"
  in_space scale statefulset/talon --replicas 5 >/dev/null
  case $helm in
    helm3) check "Helm 3 overwrites what a hand wrote" release helm3 upgrade talon $chart "${values[@]}" ;;
    helm4)
      refuses "Helm 4 refuses what a hand wrote, and says which field" 'conflict.*\.spec\.replicas' release helm4 upgrade talon $chart "${values[@]}"
      check "--force-conflicts takes it back" release helm4 upgrade talon $chart "${values[@]}" --force-conflicts
      ;;
  esac
  same "the replicas are those of the values again ($helm)" "$(field statefulset/talon .spec.replicas)" 3
  check "where something scales, the chart says no number ($helm)" release "$helm" upgrade talon $chart "${values[@]}" --set-string replicas=
  same "the server takes one, until something scales ($helm)" "$(field statefulset/talon .spec.replicas)" 1
  in_space scale statefulset/talon --replicas 5 >/dev/null
  check "an upgrade beside an autoscaler ($helm)" release "$helm" upgrade talon $chart "${values[@]}" --set-string replicas= --set config.talon.prefix=other
  same "it leaves the autoscaler's number ($helm)" "$(field statefulset/talon .spec.replicas)" 5
  release "$helm" uninstall talon >/dev/null
}

secrets_go() {
  local helm=$1 values=(--values $chart/ci/contractor-values.yaml --set kind=Deployment)
  check "a release with a secret of its own ($helm)" installs "$helm" talon "${values[@]}" --set-string secretData.a=1,secretData.b=2
  same "its keys are there ($helm)" "$(field secret/talon .data)" '{"a":"MQ==","b":"Mg=="}'
  check "a key leaves the values ($helm)" release "$helm" upgrade talon $chart "${values[@]}" --set-string secretData.a=1
  same "it leaves the cluster ($helm)" "$(field secret/talon .data)" '{"a":"MQ=="}'
  release "$helm" uninstall talon >/dev/null
}

wrong_ones_are_refused() {
  local helm=$1 values=(--values $chart/ci/contractor-values.yaml)
  says "pod security warns of more rights ($helm)" 'would violate PodSecurity' release "$helm" install rights $chart "${values[@]}" \
    --set fullnameOverride=rights --set securityContext.allowPrivilegeEscalation=true
  refuses "and does not admit such pods ($helm)" 'violates PodSecurity' pod_is_admitted statefulset/rights
  release "$helm" uninstall rights >/dev/null
  refuses "a policy of the cluster refuses, and says why ($helm)" 'images have a version' release "$helm" install latest $chart "${values[@]}" \
    --set fullnameOverride=latest --set image.tag=latest
}
