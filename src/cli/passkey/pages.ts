/**
 * The two pages that a person sees, as documents without anything of others in them: what they say comes
 * from src/cli/approvals/words.ts and from the statement itself, escaped once, here.
 */

import { printable, type Words } from '../approvals/words.ts'
import type { Passkey, PasskeyCredential } from './passkey-file.ts'

export interface ApprovePage {
  readonly person: string
  /** In a few words, what is signed: "One command". */
  readonly what: string
  readonly words: Words
  /** The statement, byte for byte, and its digest, which the passkey signs. */
  readonly text: string
  readonly challenge: Uint8Array
  readonly passkey: Passkey
}

export function approvePage(page: ApprovePage): string {
  const { person, what, words, text, challenge, passkey } = page
  const task = {
    kind: 'approve',
    relyingParty: passkey.credential.relyingParty,
    challenge: base64(challenge),
    id: passkey.id,
  }
  const rows = words.rows.map(
    ([name, value]) => `<div><dt>${escaped(name)}</dt><dd>${escaped(value)}</dd></div>`,
  )
  return documentOf(
    'Approve',
    task,
    `<p class="eyebrow">${escaped(what)}, to be signed by
  <strong>${escaped(person)}</strong></p>
<h1>${escaped(words.headline)}</h1>
<dl>
${rows.join('\n')}
</dl>
<details open>
<summary>What your passkey signs, character by character</summary>
<pre tabindex="0" aria-label="statement">${escaped(printable(text))}</pre>
<p class="digest">SHA-256 <code>${Buffer.from(challenge).toString('hex')}</code></p>
</details>`,
    ['Approve with your passkey', 'Refuse'],
  )
}

export interface EnrolPage {
  readonly name: string
  readonly place: Pick<PasskeyCredential, 'relyingParty' | 'origin'>
  readonly challenge: Uint8Array
  readonly userId: Uint8Array
}

export function enrolPage({ name, place, challenge, userId }: EnrolPage): string {
  const task = {
    kind: 'enrol',
    relyingParty: place.relyingParty,
    challenge: base64(challenge),
    ...{ name, userId: base64(userId) },
  }
  return documentOf(
    'Make a passkey',
    task,
    `<p class="eyebrow">For approvals by <strong>${escaped(name)}</strong></p>
<h1>Make a passkey</h1>
<p>With it you approve commands of an HSM. It asks for your fingerprint, face or PIN each time. The private
key stays in your authenticator; only the public key comes here.</p>
<ol>
<li id="made" class="now" aria-current="step"><strong>Make it</strong> on a security key, this device or your phone.</li>
<li id="used"><strong>Use it once</strong>, which proves that it works and verifies you.</li>
</ol>
<dl>
<div><dt>answers only to</dt><dd>${escaped(place.origin)}</dd></div>
</dl>
<p class="hint">A passkey that is synchronised to an account is as safe as that account. A security key keeps it to itself.</p>`,
    ['Make the passkey', 'Cancel'],
  )
}

function documentOf(
  title: string,
  task: object,
  main: string,
  [go, cancel]: readonly [string, string],
): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · Keyhold</title>
<link rel="stylesheet" href="style.css">
<script src="script.js" defer></script>
</head>
<body data-task="${escaped(JSON.stringify(task))}">
<header><span class="mark">Keyhold</span><span>served by the command in your terminal</span></header>
<main>
${main}
<div class="actions">
<button id="go" class="primary" type="button">${go}</button>
<button id="cancel" type="button">${cancel}</button>
</div>
<p id="status" role="status"></p>
<noscript><p>Without scripts this page cannot ask your passkey.</p></noscript>
</main>
</body>
</html>
`
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escaped(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64')
}
