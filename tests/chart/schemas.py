"""JSON schemas for kubeconform, strict and one a kind, from Kubernetes' own description and from CRDs.

python schemas.py OUT SWAGGER CRD…
"""

import json
import re
import sys
from pathlib import Path

import yaml

KINDS = {
    "ConfigMap", "Deployment", "Ingress", "NetworkPolicy", "Pod", "PodDisruptionBudget",
    "Secret", "Service", "ServiceAccount", "StatefulSet",
}
PREFIX = "#/definitions/"


def strict(schema):
    """The same schema, which takes no unknown field."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("format") == "int-or-string" or schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    out = {key: strict(value) for key, value in schema.items()}
    open_ended = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in schema
    if isinstance(schema.get("properties"), dict) and not open_ended:
        out["additionalProperties"] = False
    return out


def reachable(name, definitions, found):
    if name in found:
        return
    found[name] = definitions[name]
    for other in set(re.findall(r'"#/definitions/([^"]+)"', json.dumps(definitions[name]))):
        reachable(other, definitions, found)


def write(out, kind, group, version, schema):
    # The names that kubeconform makes with `{{.ResourceKind}}{{.KindSuffix}}`.
    parts = [kind.lower(), *filter(None, [group.split(".")[0]]), version]
    path = out / ("-".join(parts) + ".json")
    path.write_text(json.dumps(schema))


def main():
    out, swagger, crds = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
    out.mkdir(parents=True, exist_ok=True)
    definitions = json.loads(swagger.read_text())["definitions"]
    # Written as a text in the description, taken as a number too.
    definitions["io.k8s.apimachinery.pkg.api.resource.Quantity"] = {"type": ["string", "number"]}
    for name, definition in definitions.items():
        kinds = definition.get("x-kubernetes-group-version-kind", [])
        if len(kinds) == 1 and kinds[0]["kind"] in KINDS:
            found = {}
            reachable(name, definitions, found)
            schema = {"$ref": PREFIX + name, "definitions": strict(found)}
            write(out, kinds[0]["kind"], kinds[0]["group"], kinds[0]["version"], schema)
    for path in crds:
        crd = yaml.safe_load(Path(path).read_text())["spec"]
        for version in crd["versions"]:
            schema = strict(version["schema"]["openAPIV3Schema"])
            schema["properties"]["metadata"] = {"type": "object"}
            write(out, crd["names"]["kind"], crd["group"], version["name"], schema)


main()
