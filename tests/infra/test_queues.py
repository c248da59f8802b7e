import json

from tests.support.template import (
    Template,
    invoked_function,
    properties_of,
    resources,
    variables_of,
)


def test_every_work_queue_has_a_dead_letter_queue_that_keeps_longer(template: Template) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    work = {
        template["Outputs"][output]["Value"]["Ref"]
        for output in ("ResumeQueueUrl", "EraseQueueUrl", "ExportQueueUrl")
    }
    assert len(work) == 3
    dead_letter_ids = set()
    for logical_id in work:
        properties = queues[logical_id]["Properties"]
        redrive = properties["RedrivePolicy"]
        dead_letter_id = redrive["deadLetterTargetArn"]["Fn::GetAtt"][0]
        dead_letter_ids.add(dead_letter_id)
        assert redrive["maxReceiveCount"] == 5
        # SQS counts the age of a dead letter from its first sending.
        assert (
            queues[dead_letter_id]["Properties"]["MessageRetentionPeriod"]
            > properties["MessageRetentionPeriod"]
        )
    assert set(queues) == work | dead_letter_ids


def test_the_visibility_timeout_is_six_times_the_workers_timeout(template: Template) -> None:
    mappings = resources(template, "AWS::Lambda::EventSourceMapping").values()
    assert mappings
    for mapping in mappings:
        properties = mapping["Properties"]
        if "StartingPosition" in properties:
            continue  # a stream
        queue = template["Resources"][properties["EventSourceArn"]["Fn::GetAtt"][0]]
        function = invoked_function(template, properties["FunctionName"])
        assert queue["Properties"]["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_export_worker_recognises_its_last_delivery(template: Template) -> None:
    queue = template["Resources"][template["Outputs"]["ExportQueueUrl"]["Value"]["Ref"]]
    known = variables_of(template, "EXPORT_DELIVERIES")["export_worker"]
    assert known == str(queue["Properties"]["RedrivePolicy"]["maxReceiveCount"])


def test_the_erase_delay_exceeds_the_timeout_of_every_writer(template: Template) -> None:
    written = {
        template["Outputs"]["ClicksTableName"]["Value"]["Ref"],
        template["Outputs"]["QrBucketName"]["Value"]["Ref"],
    }
    roles: set[str] = set()
    for policy in properties_of(template, "AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {})
            if keys.get("dynamodb:LeadingKeys") in ("EXPORTS#*", ["EXPORTS#*"]):
                # The slots of a workspace: an erased link leaves nothing there.
                continue
            actions = (
                {statement["Action"]}
                if isinstance(statement["Action"], str)
                else set(statement["Action"])
            )
            if actions & {"dynamodb:PutItem", "dynamodb:UpdateItem", "s3:PutObject"} and any(
                name in json.dumps(statement["Resource"]) for name in written
            ):
                roles.update(role["Ref"] for role in policy["Roles"])
    timeouts = {
        function["Handler"]: function["Timeout"]
        for function in properties_of(template, "AWS::Lambda::Function")
        if function["Role"]["Fn::GetAtt"][0] in roles
    }
    writers = ("redirect", "qr", "click_stream", "analytics", "export_worker")
    assert {f"functions.handlers.{name}.handler" for name in writers} <= set(timeouts)
    assert "functions.handlers.erase_worker.handler" not in timeouts
    queue = template["Outputs"]["EraseQueueUrl"]["Value"]["Ref"]
    delay = template["Resources"][queue]["Properties"]["DelaySeconds"]
    assert delay == max(timeouts.values()) + 30
    # Most of the three minutes of an erasure on an idle system.
    assert delay <= 120
    # Without a delay the other queue delivers at once.
    resume = template["Outputs"]["ResumeQueueUrl"]["Value"]["Ref"]
    assert "DelaySeconds" not in template["Resources"][resume]["Properties"]
