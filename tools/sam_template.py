"""template.yaml as CloudFormation sees it: transformed, with parameters and conditions resolved.

As a program, it lints the template as written and as transformed with each choice of secret,
rotation and alarms, and the other templates in deploy/. Some errors appear only then, such as
SnapStart on a runtime without it. With a file name it writes the template of :func:`kept` there.
With ``--parameters NAME=VALUE ...`` it prints why CloudFormation would refuse them, one reason per
line.
"""

from __future__ import annotations

import copy
import json
import logging
import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

ROOT: Final = Path(__file__).resolve().parent.parent
TEMPLATE: Final = ROOT / "template.yaml"

REGION: Final = "eu-west-1"
#: CloudFront takes certificates and web ACLs of this region only.
EDGE_REGION: Final = "us-east-1"
PSEUDO_PARAMETERS: Final = {
    "AWS::AccountId": "111122223333",
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "zego-token-service",
    "AWS::URLSuffix": "amazonaws.com",
}
#: Values for the parameters without a default.
EXAMPLE_PARAMETERS: Final = {
    "Stage": "dev",
    "BuildVersion": "0123456789ab-0.2.0",
    "AllowedOrigins": "https://calls.example.com,http://localhost:3000",
}

#: The variants to lint. Their names appear in the file names of findings.
_LINTED: Final = {
    "secret-made-by-the-stack": {"SecretReaderAccounts": "444455556666"},
    "secret-given-with-its-key": {
        "ServerSecretArn": "arn:aws:secretsmanager:us-east-1:444455556666:secret:zego-AbCdEf",
        "ServerSecretKmsKeyArn": "arn:aws:kms:us-east-1:444455556666:key/"
        "00000000-0000-4000-8000-000000000000",
    },
    "secret-given-without-a-key": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
    },
    "secret-given-with-its-key-and-rotated": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
        "ServerSecretKmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/"
        "00000000-0000-4000-8000-000000000000",
        "RotateGivenSecret": "Yes",
        "AlarmEmail": "operators@example.com",
    },
    "secret-given-without-a-key-and-rotated": {
        "ServerSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:zego-AbCdEf",
        "RotateGivenSecret": "Yes",
        "AlarmTopicArn": "arn:aws:sns:eu-west-1:111122223333:alarms",
    },
    "behind-an-edge": {
        "DomainName": "tokens.example.com",
        "DomainCertificateArn": "arn:aws:acm:eu-west-1:111122223333:certificate/"
        "00000000-0000-4000-8000-000000000000",
        "OriginHeaderSha256": "0" * 64,
        "DisableExecuteApi": "Yes",
    },
    "snapstart-reserved-all-at-once-without-limits": {
        "SnapStart": "On",
        "Limits": "Off",
        "ReservedConcurrency": "50",
        "DeploymentPreference": "AllAtOnce",
    },
    "with-an-incoming-call-url": {
        "IncomingCallUrl": "https://sockets.example.com/incoming-calls",
        "IncomingCallKeyVersion": "00000000-0000-4000-8000-000000000000",
    },
    "with-shared-keys": {
        "SharedKeySecretArns": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:keys-AbCdEf",
        "SharedKeyKmsKeyArns": "arn:aws:kms:eu-west-1:111122223333:key/"
        "00000000-0000-4000-8000-000000000000",
    },
    "regulated-account": {
        "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/boundary",
        "LogKmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/"
        "00000000-0000-4000-8000-000000000000",
        "SystemLogLevel": "WARN",
    },
}

#: What a deleted stack leaves behind for the next one to import, with its identifier.
KEPT: Final = {"ServerSecret": "Id", "ServerSecretKey": "KeyId"}

_NO_VALUE: Final = object()

# The transform logs about its own internals, which a user cannot change.
logging.getLogger("samtranslator").setLevel(logging.CRITICAL)


def load() -> dict[str, Any]:
    """Return the template as written."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return template


def transform(parameters: Mapping[str, str] = {}, *, partition: str = "aws") -> dict[str, Any]:
    """Return the template after AWS' own transform, for a stack with these parameters.

    References to parameters are replaced by their values, conditions by the branch they select,
    and resources whose condition is false are removed. References to resources stay.
    """
    template = load()
    values = _parameter_values(template, EXAMPLE_PARAMETERS | dict(parameters))
    values["AWS::Partition"] = partition
    for resource in template["Resources"].values():
        for artifact in ("CodeUri", "ContentUri"):
            if path := resource["Properties"].get(artifact):
                resource["Properties"][artifact] = f"s3://artifacts/{path}"
    session = boto3.Session(region_name=REGION)
    translator = Translator({}, Parser(), boto_session=session)
    transformed = translator.translate(template, parameter_values=copy.deepcopy(values))
    return _Resolver(transformed, PSEUDO_PARAMETERS | values).template()


def refusals(parameters: Mapping[str, str]) -> list[str]:
    """Return the template's objections to these parameters, as CloudFormation would report them."""
    return _refusals(load(), parameters)


def _refusals(template: dict[str, Any], parameters: Mapping[str, str]) -> list[str]:
    values = _parameter_values(template, EXAMPLE_PARAMETERS | dict(parameters))
    resolver = _Resolver(template, PSEUDO_PARAMETERS | values)
    return [
        assertion["AssertDescription"]
        for rule in template["Rules"].values()
        if resolver.holds(rule["RuleCondition"])
        for assertion in rule["Assertions"]
        if not resolver.holds(assertion["Assert"])
    ]


def mistakes(parameters: Mapping[str, str]) -> list[str]:
    """Return why CloudFormation would refuse these parameters: names, values and rules."""
    template = load()
    declared = template["Parameters"]
    found = [f"{name}: there is no such parameter" for name in parameters if name not in declared]
    for name, parameter in declared.items():
        if name not in parameters:
            if "Default" not in parameter and name != "BuildVersion":  # `make build` writes it
                found.append(f"{name}: a value is missing")
        elif wrong := _wrong(parameter, parameters[name]):
            found.append(f"{name}: {wrong}")
    return found or _refusals(template, parameters)


def _wrong(parameter: Mapping[str, Any], text: str) -> str:
    """What is wrong with a parameter's value, in the template's words; empty if it is valid."""
    is_list = parameter["Type"] == "CommaDelimitedList"
    values = [one.strip() for one in text.split(",")] if is_list else [text]
    if pattern := parameter.get("AllowedPattern"):
        for value in values:
            if not re.fullmatch(pattern, value):
                form = parameter.get("ConstraintDescription", f"must match {pattern}")
                return f"{value!r} is invalid: it {form}".removesuffix(".")
    if choices := [str(choice) for choice in parameter.get("AllowedValues", ())]:
        bad = [value for value in values if value not in choices]
        return f"{bad[0]!r} is invalid: it must be one of {', '.join(choices)}" if bad else ""
    if parameter["Type"] == "Number":
        least, most = parameter.get("MinValue", 0), parameter.get("MaxValue", math.inf)
        if not re.fullmatch("[0-9]+", text) or not least <= int(text) <= most:
            limit = f" and at most {most}" if "MaxValue" in parameter else ""
            return f"{text!r} is invalid: it must be a number, at least {least}{limit}"
    return ""


def _parameter_values(template: dict[str, Any], given: Mapping[str, str]) -> dict[str, Any]:
    """Return all parameter values; lists as lists, as CloudFormation passes them."""
    values: dict[str, Any] = {}
    for name, parameter in template["Parameters"].items():
        value = given[name] if name in given else parameter["Default"]
        values[name] = value.split(",") if parameter["Type"] == "CommaDelimitedList" else value
    if unknown := given.keys() - values.keys():
        raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}")
    return values


class _Resolver:
    """Evaluates the intrinsic functions that depend on parameters only."""

    def __init__(self, template: dict[str, Any], parameters: Mapping[str, Any]) -> None:
        self._template = template
        self._values = parameters

    def template(self) -> dict[str, Any]:
        resolved = {
            key: value
            for key, value in self._template.items()
            if key not in ("Parameters", "Conditions", "Rules", "Metadata")
        }
        for section in ("Resources", "Outputs"):
            resolved[section] = {
                name: self._resolve({k: v for k, v in item.items() if k != "Condition"})
                for name, item in self._template[section].items()
                if "Condition" not in item or self.holds({"Condition": item["Condition"]})
            }
        return resolved

    def holds(self, condition: Any) -> bool:
        match condition:
            case {"Condition": name}:
                return self.holds(self._template["Conditions"][name])
            case {"Fn::Equals": [left, right]}:
                return str(self._resolve(left)) == str(self._resolve(right))
            case {"Fn::Not": [inner]}:
                return not self.holds(inner)
            case {"Fn::And": inner}:
                return all(self.holds(one) for one in inner)
            case {"Fn::Or": inner}:
                return any(self.holds(one) for one in inner)
            case {"Fn::EachMemberIn": [members, allowed]}:
                return all(one in self._resolve(allowed) for one in self._resolve(members))
        raise ValueError(f"not a condition: {condition}")

    def _resolve(self, node: Any) -> Any:
        match node:
            case {"Ref": "AWS::NoValue"}:
                return _NO_VALUE
            case {"Ref": name} if name in self._values:
                return self._values[name]
            case dict() if len(node) == 1 and next(iter(node)).startswith("Fn::"):
                return self._call(*next(iter(node.items())))
            case dict():
                resolved = {key: self._resolve(value) for key, value in node.items()}
                return {key: value for key, value in resolved.items() if value is not _NO_VALUE}
            case list():
                return [one for one in map(self._resolve, node) if one is not _NO_VALUE]
        return node

    def _call(self, function: str, arguments: Any) -> Any:
        """Return the value of a function; a function that needs a resource stays."""
        match function, arguments:
            case "Fn::If", [condition, then, otherwise]:
                return self._resolve(then if self.holds({"Condition": condition}) else otherwise)
            case "Fn::Join", [separator, parts]:
                return separator.join(self._resolve(parts))
            case "Fn::Select", [index, choices]:
                return self._resolve(choices)[int(index)]
            case "Fn::Split", [separator, text]:
                return self._resolve(text).split(separator)
            case "Fn::Sub", _:
                return self._sub(arguments)
        return {function: self._resolve(arguments)}

    def _sub(self, arguments: Any) -> Any:
        """Substitute the known variables; the rest stays an Fn::Sub."""
        text, variables = (arguments, {}) if isinstance(arguments, str) else arguments
        variables = {
            name: value["Fn::Sub"] if _is_text_with_resources(value) else value
            for name, value in self._resolve(variables).items()
        }
        known = {**self._values, **{k: v for k, v in variables.items() if isinstance(v, str | int)}}
        text = re.sub(r"\$\{([^!}]+)\}", lambda match: str(known.get(match[1], match[0])), text)
        unknown = {name: value for name, value in variables.items() if f"${{{name}}}" in text}
        if "${" not in text:
            return text
        return {"Fn::Sub": [text, unknown] if unknown else text}


def _is_text_with_resources(value: Any) -> bool:
    """Whether this is the rest of an inner Fn::Sub, which an outer one can include."""
    return isinstance(value, dict) and isinstance(value.get("Fn::Sub"), str)


def kept() -> dict[str, Any]:
    """Return a template of only the secret and its key.

    CloudFormation imports them with it into a new stack, if they were kept when the old stack was
    deleted. Their properties are those of the template, so deploying that changes nothing in them.
    """
    template = load()
    resolver = _Resolver(template, _parameter_values(template, EXAMPLE_PARAMETERS))
    resources = resolver.template()["Resources"]
    return {
        "AWSTemplateFormatVersion": template["AWSTemplateFormatVersion"],
        "Resources": {name: resources[name] for name in KEPT},
    }


def main() -> int:
    """Do what the module's docstring says of the arguments."""
    match sys.argv[1:]:
        case ["--parameters", *given]:
            found = mistakes(dict(one.split("=", 1) for one in given))
            print(*found, sep="\n", end="\n" if found else "")
            return 1 if found else 0
        case [path]:
            Path(path).write_text(json.dumps(kept(), indent=1), encoding="utf-8")
            return 0
    return _lint()


def _lint() -> int:
    """Errors and warnings are failures."""
    with tempfile.TemporaryDirectory() as directory:
        templates = [TEMPLATE]
        for variant, parameters in _LINTED.items():
            templates.append(Path(directory, f"transformed-{variant}.json"))
            templates[-1].write_text(json.dumps(transform(parameters), indent=1), encoding="utf-8")
        templates += sorted((ROOT / "deploy").glob("*.yaml"))
        templates.append(Path(directory, "kept.json"))
        templates[-1].write_text(json.dumps(kept(), indent=1), encoding="utf-8")
        lint = Path(sys.executable).with_name("cfn-lint")
        command = [str(lint), "--regions", REGION, EDGE_REGION, "--", *map(str, templates)]
        status = subprocess.run(command, check=False).returncode
    if status == 0:
        print(f"template.yaml is valid, as written and in {len(_LINTED)} transformed variants")
        print("the templates in deploy/ are valid")
    return status


if __name__ == "__main__":
    sys.exit(main())
