# The alerts. Sourced by `run`.

rules_tests() {
  local rules=$chart/files/rules.yaml alert
  check "promtool check rules --lint-fatal" "$bin/promtool" check rules --lint=all --lint-fatal $rules
  cp $rules $here/rules.test.yaml "$out"
  check "promtool test rules" "$bin/promtool" test rules "$out/rules.test.yaml"
  # The rules as the chart wraps them are the same rules.
  awk '/^kind: PrometheusRule$/ {rule = 1} rule && /^spec:/ {on = 1; next} on && /^---/ {exit} on {sub(/^  /, ""); print}' \
    "$out/helm4/everything.yaml" >"$out/wrapped.yaml"
  check "the wrapped rules are the shipped rules" diff -B $rules "$out/wrapped.yaml"
  check "dashboards are what Grafana's classic format has" "$bin/dashboards" $chart/files/dashboards/*.json
  for alert in $(sed -n 's/^ *- alert: //p' $rules); do
    holds "$alert has a section in the runbook" docs/runbook.md "^## $alert\$"
    holds "$alert links to it" $rules "runbook_url: docs/runbook.md#$(tr '[:upper:]' '[:lower:]' <<<"$alert")\$"
    holds "$alert has a unit test" $here/rules.test.yaml "$alert\\b"
  done
  local twice
  twice=$(sed -n 's/^ *- alert: //p' $rules | sort | uniq -d)
  if [ -z "$twice" ]; then pass "no alert is there twice"; else fail "no alert is there twice" "$twice"; fi
  for alert in $(sed -n 's/^## //p' docs/runbook.md); do
    holds "the runbook's $alert is an alert" $rules "alert: $alert\$"
  done
}
