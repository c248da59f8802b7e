"""The synthesized template, for tests: what is deployed is what they look at and build on."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from tests.support.synthesis import Template, synthesize

__all__ = [
    "Template",
    "functions",
    "invoked_function",
    "module_of",
    "path_of",
    "properties_of",
    "resources",
    "synthesize",
    "synthesized_template",
    "table_definitions",
    "variables_of",
]


@cache
def synthesized_template(stage: str = "prod") -> Template:
    """The template of `stage`, read once per process. Treat it as read-only."""
    return synthesize(stage=stage)


def resources(template: Template, resource_type: str) -> dict[str, dict[str, Any]]:
    """The resources of one type, such as `AWS::DynamoDB::Table`, by logical id."""
    return {
        logical_id: resource
        for logical_id, resource in template["Resources"].items()
        if resource["Type"] == resource_type
    }


def properties_of(template: Template, resource_type: str) -> list[dict[str, Any]]:
    """The properties of the resources of one type."""
    return [each["Properties"] for each in resources(template, resource_type).values()]


def module_of(function: dict[str, Any]) -> str:
    """The module of `functions/handlers` that a function runs, by its properties."""
    handler: str = function["Handler"]
    return handler.split(".")[2]


def functions(template: Template) -> dict[str, dict[str, Any]]:
    """The properties of each function by the name of its module."""
    return {module_of(each): each for each in properties_of(template, "AWS::Lambda::Function")}


def variables_of(template: Template, name: str) -> dict[str, Any]:
    """The value of a variable of the environment, by the module of each function that has it."""
    return {
        module: value
        for module, function in functions(template).items()
        if (value := function.get("Environment", {}).get("Variables", {}).get(name)) is not None
    }


def path_of(template: Template, method: dict[str, Any]) -> str:
    """The path of a method, as in `/api/links/{id}`."""
    parts: list[str] = []
    reference = method["Properties"]["ResourceId"]
    while "Ref" in reference:
        resource = template["Resources"][reference["Ref"]]["Properties"]
        parts.insert(0, resource["PathPart"])
        reference = resource["ParentId"]
    return "/" + "/".join(parts)


def invoked_function(template: Template, reference: Any) -> dict[str, Any]:
    """The properties of the function whose alias a reference (an ARN, a `Ref`) leads to.

    Fails for a reference to the function itself: only aliases may be invoked, because they move
    to a new version when it is known to work.
    """
    [alias] = {
        name
        for name in _references(reference)
        if template["Resources"].get(name, {}).get("Type", "").startswith("AWS::Lambda::")
    }
    properties = template["Resources"][alias]["Properties"]
    assert template["Resources"][alias]["Type"] == "AWS::Lambda::Alias", f"{alias} is not an alias"
    function: dict[str, Any] = template["Resources"][properties["FunctionName"]["Ref"]][
        "Properties"
    ]
    return function


def _references(value: Any) -> Iterator[str]:
    """The logical ids that a part of a template refers to."""
    if isinstance(value, dict):
        match value:
            case {"Ref": str(name)}:
                yield name
            case {"Fn::GetAtt": [str(name), _]}:
                yield name
            case _:
                for each in value.values():
                    yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)


def table_definitions(template: Template) -> list[dict[str, Any]]:
    """The keyword arguments of boto3's `create_table` for each table of the template.

    Tables are named `links`, `clicks`, `deletions` and `access`, as the template's outputs call
    them. What `create_table` cannot set (TTL, PITR) is left out.
    """
    definitions = []
    for output, value in template["Outputs"].items():
        if not output.endswith("TableName"):
            continue
        properties = template["Resources"][value["Value"]["Ref"]]["Properties"]
        definition = {
            "TableName": output.removesuffix("TableName").lower(),
            "KeySchema": properties["KeySchema"],
            "AttributeDefinitions": properties["AttributeDefinitions"],
            "BillingMode": properties["BillingMode"],
        }
        if "GlobalSecondaryIndexes" in properties:
            # A production stage's limit on throughput means nothing for a local emulator.
            definition["GlobalSecondaryIndexes"] = [
                {key: value for key, value in index.items() if key != "OnDemandThroughput"}
                for index in properties["GlobalSecondaryIndexes"]
            ]
        if "StreamSpecification" in properties:
            definition["StreamSpecification"] = {
                "StreamEnabled": True,
                **properties["StreamSpecification"],
            }
        definitions.append(definition)
    return definitions
