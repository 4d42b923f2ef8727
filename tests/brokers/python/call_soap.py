"""Calls an operation of a SOAP service with zeep, a stock client, and prints one JSON object of what it understood.

    call_soap.py --wsdl URL --login L --password P --port PORT --operation O [--param NAME=VALUE ...]

`code` and `rows` are what zeep made of the reply. `read` are the rows as lxml finds them in the same reply, by namespaces alone: zeep passes over much that it does not understand.
A parameter is a time if its value looks like one, and a text otherwise.
A fault of the service is {"fault": what it says}; where the login is refused, {"status": 401}.
"""

import argparse
import json
import re

import requests
import zeep
import zeep.exceptions
import zeep.plugins
import zeep.transports
from lxml import etree

CORE = "http://v8.1c.ru/8.1/data/core"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
XS = "http://www.w3.org/2001/XMLSchema"


def parameters(client, given):
    factory = client.type_factory(CORE)
    time, text = client.get_type(f"{{{XS}}}dateTime"), client.get_type(f"{{{XS}}}string")
    properties = []
    for one in given:
        name, value = one.split("=", 1)
        is_time = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", value)
        value = zeep.xsd.AnyObject(time if is_time else text, value)
        properties.append({"name": name, "Value": value})
    return factory.Structure(Property=properties)


def plain(value):
    """A value of zeep's as text; nothing is null."""
    if value is None:
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def understood(result):
    # zeep takes the element off where it is the only one.
    properties = result if isinstance(result, list) else result["Property"]
    told = {one["name"]: one["Value"] for one in properties}
    table = told.get("ResultData")
    rows = None
    if table is not None and hasattr(table, "column"):
        names = [column["Name"] for column in table["column"]]
        rows = [dict(zip(names, map(plain, row["Value"]), strict=True)) for row in table["row"]]
    return {"code": told["ResultCode"], "text": table if isinstance(table, str) else None, "rows": rows}


def resolved(node, name):
    """A qualified name in a text, by the prefixes at its element."""
    prefix, _, local = name.strip().rpartition(":")
    return node.nsmap.get(prefix or None), local


def read(envelope):
    tables = [
        value
        for value in envelope.iter(f"{{{CORE}}}Value")
        if resolved(value, value.get(f"{{{XSI}}}type", "")) == (CORE, "ValueTable")
    ]
    rows = []
    for table in tables:
        names = [column.findtext(f"{{{CORE}}}Name") for column in table.findall(f"{{{CORE}}}column")]
        for row in table.findall(f"{{{CORE}}}row"):
            cells = []
            for value in row.findall(f"{{{CORE}}}Value"):
                is_nil = value.get(f"{{{XSI}}}nil") == "true"
                if not is_nil:
                    namespace, local = resolved(value, value.attrib[f"{{{XSI}}}type"])
                    assert namespace == XS and local in ("string", "dateTime", "decimal"), (namespace, local)
                cells.append(None if is_nil else "".join(value.itertext(with_tail=False, tag=None)) or None)
            rows.append(dict(zip(names, cells, strict=True)))
    return rows


def main():
    parser = argparse.ArgumentParser()
    for name in ("wsdl", "login", "password", "port", "operation"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--param", action="append", default=[])
    arguments = parser.parse_args()
    session = requests.Session()
    session.trust_env = False
    # As bytes, or the session makes Latin-1 of them.
    session.auth = (arguments.login.encode(), arguments.password.encode())
    history = zeep.plugins.HistoryPlugin()
    transport = zeep.transports.Transport(session=session, timeout=30, operation_timeout=30)
    try:
        client = zeep.Client(arguments.wsdl, transport=transport, plugins=[history])
    except requests.HTTPError as error:
        print(json.dumps({"status": error.response.status_code}))
        return
    service = client.bind("PartnerWebAPI2", arguments.port)
    try:
        result = service[arguments.operation](Params=parameters(client, arguments.param))
    except zeep.exceptions.Fault as fault:
        print(json.dumps({"fault": fault.message}, ensure_ascii=False))
        return
    answer = understood(result)
    answer["read"] = read(history.last_received["envelope"])
    print(json.dumps(answer, ensure_ascii=False))


main()
