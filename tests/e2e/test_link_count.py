"""The counter of live links on the deployed stack: creates and the table's stream keep it."""

from __future__ import annotations

from local.demo_data import Workspace
from local.stack import LocalStack
from tests.support.http_client import Client, eventually


def test_the_stream_subtracts_deleted_links_from_the_counter(
    stack: LocalStack, workspace: Workspace
) -> None:
    api = Client(stack.base_url, workspace.api_key)

    def counted() -> int:
        item = stack.client("dynamodb").get_item(
            TableName=stack.outputs["LinksTableName"],
            Key={"pk": {"S": f"COUNT#{workspace.workspace_id}"}, "sk": {"S": "COUNT"}},
            ConsistentRead=True,
        )["Item"]
        return int(item["links"]["N"])

    made = api.post("/api/links", [{"originalUrl": "https://example.com/"}] * 5)
    assert made.status == 201
    assert counted() == 5
    ids = [link["id"] for link in made.json]
    assert api.delete("/api/links", ids[:2]).status == 200
    assert api.post("/api/links/bulk-delete", {"ids": ids[2:3]}).status == 200
    eventually(counted, 2)
