"""The chart's README, made from its values: each value, its default, and the comment above it.

python readme.py CHART
"""

import re
import sys
from pathlib import Path

HEAD = """# Talon's chart

Runs [Talon](../../README.md) on Kubernetes 1.27 or newer, with Helm 3 or 4.
This file is made from `values.yaml` by `tests/chart/run readme`; change it there.

## Install

Say what to stream, in a file `talon.yaml`:

```yaml
config:                       # what `talon run` takes as its configuration
  bus:
    kafka: { bootstrap.servers: "kafka-bootstrap.kafka:9092" }
  schema.registry: { url: "http://schema-registry.kafka:8081" }
  connectors:
    field-service:
      class: contractor
      upstream.url: https://field.example.org
      auth.external.token: ${file:/run/secrets/talon/field-service/token}
existingSecrets: [field-service]
```

Make the secret that it names, and install:

```sh
kubectl create secret generic field-service --from-literal=token=…
helm install talon helm/talon --values talon.yaml
kubectl rollout status statefulset/talon
helm test talon --logs
```

`helm test` resolves the secrets and connects to the broker, the registry and the upstreams.
A wrong configuration keeps the pods in `Init`, where `kubectl logs statefulset/talon -c check` lists every mistake.
A secret that is not there keeps them in `Init` too, and `kubectl describe pod talon-0` names it; one without the key ends them, and `kubectl logs talon-0` names the file.

`ci/` has more: Strimzi and a bare Kafka with SASL and TLS, NATS with an nkey and TLS, each class of connector, three replicas, and Talon as a part of another chart (`ci/subchart`).

## Upgrade, roll back, remove

A changed configuration rolls the pods; a changed secret needs no restart.
Any process may be replaced at any time: what was not committed was not visible, and the next one goes on from the topics.
`helm uninstall` leaves topics and streams as they are, and they are all that Talon remembers.
It also leaves the pod of the last `helm test`: `kubectl delete pod talon-check`.

Helm 4 refuses an upgrade or a rollback with a conflict when an autoscaler or a hand has written to a field that the chart sets.
`--force-conflicts` takes the change back; where something scales, set `replicas: ""`.
To undo a failed upgrade by itself: `--rollback-on-failure` with Helm 4, `--atomic` with Helm 3.

## Rules and dashboards

`files/rules.yaml` and `files/dashboards/*.json` can be used without Helm: as a rule file of Prometheus, and as provisioned or imported dashboards of Grafana.
What each alert means and what to do is in [docs/runbook.md](../../docs/runbook.md).

## Values

"""


def values(text):
    """(full key or heading, default or none, description) of all values, in their order."""
    comment, parents = [], []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            if comment and comment[0].startswith("## "):
                yield comment[0][3:], None, ""
            comment = []
            continue
        indent = len(line) - len(line.lstrip())
        if line.lstrip().startswith("#"):
            comment.append(line.strip()[1:].strip())
            continue
        match = re.fullmatch(r"\s*([A-Za-z]+):(?: (.*))?", line)
        if not match:
            sys.exit(f"values.yaml:{number}: expected `key: value` on one line, or `key:`")
        key, default = match.groups()
        parents = parents[: indent // 2] + [key]
        if default is None:
            if comment:
                sys.exit(f"values.yaml:{number}: `{key}` has values of its own; describe those")
            continue
        if not comment:
            sys.exit(f"values.yaml:{number}: `{'.'.join(parents)}` has no description")
        yield ".".join(parents), default, " ".join(comment)
        comment = []


def main():
    text = (Path(sys.argv[1]) / "values.yaml").read_text()
    lines = []
    for key, default, description in values(text):
        if default is None:
            lines += ["", f"### {key}", "", "| Value | Default | What |", "| --- | --- | --- |"]
        else:
            cells = [f"`{key}`", f"`{default}`", description]
            lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    print(HEAD + "\n".join(lines).strip())


main()
