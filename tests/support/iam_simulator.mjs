// Evaluates IAM requests, one a line: {"policy", "action", "resource", "context"} is answered with
// {"result", "errors"}. The simulator also rejects an action, a resource type or a context key
// that AWS does not have.
import { createInterface } from 'node:readline'
import { runSimulation } from '@cloud-copilot/iam-simulate'

const ACCOUNT = '111122223333'

const KEY_POLICY = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` },
      Action: 'kms:*',
      Resource: '*',
    },
  ],
}

for await (const line of createInterface({ input: process.stdin })) {
  const { policy, action, resource, context } = JSON.parse(line)
  const answer = await runSimulation(
    {
      request: {
        principal: `arn:aws:sts::${ACCOUNT}:assumed-role/function/session`,
        action,
        resource: { resource, accountId: ACCOUNT },
        contextVariables: context,
      },
      identityPolicies: [{ name: 'role', policy }],
      serviceControlPolicies: [],
      resourceControlPolicies: [],
      // A bucket policy of ours allows nothing that the role does not. A KMS key needs a policy
      // that lets the account's roles decide (KMS Developer Guide, "Default key policy").
      resourcePolicy: action.startsWith('kms:') ? KEY_POLICY : undefined,
    },
    {},
  )
  const result = answer.resultType === 'error' ? 'Error' : answer.overallResult
  console.log(JSON.stringify({ result, errors: answer.errors ?? null }))
}
