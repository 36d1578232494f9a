/** Which of the two formats an Accept header gets. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { formatFor, Page } from './page.ts'

const accepted = {
  '': 'text',
  '*/*': 'text',
  'text/plain': 'text',
  'text/plain;version=0.0.4': 'text',
  'application/openmetrics-text': 'openMetrics',
  'application/openmetrics-text; version=1.0.0; charset=utf-8': 'openMetrics',
  'application/openmetrics-text;version=0.0.1': 'text',
  'application/openmetrics-text;version=2.0.0,text/plain;q=0.1': 'text',
  'application/openmetrics-text;q=0.3,text/plain;version=0.0.4;q=0.5': 'text',
  'application/openmetrics-text;q=0': 'text',
  'application/openmetrics-text;q=high': 'text',
  // What Prometheus 2 and 3 send.
  'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1':
    'openMetrics',
  'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1':
    'openMetrics',
} as const

test('the Accept header chooses the format', () => {
  for (const [accept, format] of Object.entries(accepted)) {
    assert.equal(formatFor(accept), format, accept)
  }
})

test('any other header gets one of the two', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 200 }), (accept) => {
      assert(['text', 'openMetrics'].includes(formatFor(accept)))
    }),
  )
})

test('a page in OpenMetrics changes nothing of the next one in text', async () => {
  const text = (accept: string) => {
    const page = new Page(accept)
    page.counter('things_total', 'Things.', [{ value: 3 }])
    return page.text()
  }
  const openMetrics = '# HELP things Things.\n# TYPE things counter\nthings_total 3\n# EOF\n'
  assert.equal(await text('application/openmetrics-text'), openMetrics)
  const plain = '# HELP things_total Things.\n# TYPE things_total counter\nthings_total 3\n'
  assert.equal(await text(''), plain)
})
