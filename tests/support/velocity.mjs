// Renders mapping templates, one a line: {"template", "headers", "context"} is answered with
// {"text", "overrides"}: what comes out, and the response headers that the template sets.
import { createInterface } from 'node:readline'
import velocity from 'velocityjs'

for await (const line of createInterface({ input: process.stdin })) {
  const { template, headers, context } = JSON.parse(line)
  const variables = {
    input: {
      params: (name) => (name === undefined ? { header: headers } : (headers[name] ?? '')),
      body: '{}',
    },
    util: { escapeJavaScript: (text) => JSON.stringify(String(text)).slice(1, -1) },
    context: { ...context, responseOverride: { header: {} } },
  }
  const text = velocity.render(template, variables)
  console.log(JSON.stringify({ text, overrides: variables.context.responseOverride.header }))
}
