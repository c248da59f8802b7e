from tests.template import Template, resources


def test_both_work_queues_have_a_dead_letter_queue_that_keeps_longer(template: Template) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    work = {
        template["Outputs"][output]["Value"]["Ref"]
        for output in ("ResumeQueueUrl", "EraseQueueUrl")
    }
    assert len(work) == 2
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


def test_every_queue_is_encrypted_and_refuses_plain_http(template: Template) -> None:
    queues = resources(template, "AWS::SQS::Queue")
    protected = set()
    for policy in resources(template, "AWS::SQS::QueuePolicy").values():
        [statement] = policy["Properties"]["PolicyDocument"]["Statement"]
        assert statement["Effect"] == "Deny"
        assert statement["Action"] == "sqs:*"
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        protected |= {queue["Ref"] for queue in policy["Properties"]["Queues"]}
    assert protected == set(queues)
    for queue in queues.values():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True


def test_a_message_stays_hidden_six_times_as_long_as_its_worker_may_take(
    template: Template,
) -> None:
    mappings = resources(template, "AWS::Lambda::EventSourceMapping").values()
    assert mappings
    for mapping in mappings:
        properties = mapping["Properties"]
        queue = template["Resources"][properties["EventSourceArn"]["Fn::GetAtt"][0]]
        function = template["Resources"][properties["FunctionName"]["Ref"]]
        assert queue["Properties"]["VisibilityTimeout"] >= 6 * function["Properties"]["Timeout"]
        assert properties["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
