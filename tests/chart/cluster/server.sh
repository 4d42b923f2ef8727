# An etcd and an API server without nodes and controllers, in a folder of their own. Sourced by `cluster.sh`.

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# Sets KUBECONFIG; everything ends and goes with this shell.
start_server() {
  local etcd_port peer_port port
  cluster=$(mktemp -d)
  started=()
  trap stop_server EXIT
  etcd_port=$(free_port) peer_port=$(free_port) port=$(free_port)
  openssl genrsa -out "$cluster/accounts.key" 2048 2>/dev/null
  echo 'admin-token,admin,admin,"system:masters"' >"$cluster/tokens.csv"
  "$bin/etcd" --data-dir "$cluster/etcd" --listen-client-urls "http://127.0.0.1:$etcd_port" \
    --advertise-client-urls "http://127.0.0.1:$etcd_port" --listen-peer-urls "http://127.0.0.1:$peer_port" \
    --initial-advertise-peer-urls "http://127.0.0.1:$peer_port" --initial-cluster "default=http://127.0.0.1:$peer_port" \
    --log-level warn >"$cluster/etcd.log" 2>&1 &
  started+=($!)
  "$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$etcd_port" --bind-address 127.0.0.1 \
    --secure-port "$port" --cert-dir "$cluster/certificates" --service-cluster-ip-range 10.96.0.0/24 \
    --service-account-issuer https://cluster.test --service-account-key-file "$cluster/accounts.key" \
    --service-account-signing-key-file "$cluster/accounts.key" --token-auth-file "$cluster/tokens.csv" \
    --authorization-mode RBAC >"$cluster/server.log" 2>&1 &
  started+=($!)
  server=https://127.0.0.1:$port
  export KUBECONFIG=$cluster/config
  cat >"$KUBECONFIG" <<CONFIG
{apiVersion: v1, kind: Config, current-context: test,
 clusters: [{name: test, cluster: {server: "$server", insecure-skip-tls-verify: true}}],
 users: [{name: admin, user: {token: admin-token}}],
 contexts: [{name: test, context: {cluster: test, user: admin}}]}
CONFIG
  chmod 600 "$KUBECONFIG"
  local _
  for _ in $(seq 300); do
    [ "$(kube get --raw /readyz 2>/dev/null)" = ok ] && return
    kill -0 "${started[1]}" 2>/dev/null || break
    sleep 1
  done
  tail -20 "$cluster/etcd.log" "$cluster/server.log" >&2
  return 1
}

stop_server() {
  # At once: a server that has lost its etcd takes its time, and nothing here is kept.
  kill -KILL "${started[@]}" 2>/dev/null || true
  wait 2>/dev/null || true
  rm -rf "$cluster"
}

kube() { "$bin/kubectl" "$@"; }
