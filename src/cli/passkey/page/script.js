/**
 * The browser's half of src/cli/passkey: asks the passkey for what the page was made for and hands the
 * answer to the command that serves it. It decides nothing, draws nothing that came from elsewhere, and
 * speaks to nobody else; the command checks every answer by itself.
 */

/**
 * @typedef {{ relyingParty: string, challenge: string }} Ask bytes in base64 here and below
 * @typedef {Ask & { kind: 'approve', id: string }} ApproveTask
 * @typedef {Ask & { kind: 'enrol', name: string, userId: string }} EnrolTask
 */

/** COSE names (RFC 9053): ES256, of which every browser gives the SPKI, then EdDSA. */
const algorithms = [-7, -8]
const dialogMs = 300_000
const waiting = 'Waiting for your passkey…'

/** @type {ApproveTask | EnrolTask} */
const task = JSON.parse(document.body.dataset.task ?? '')
const go = element('go')
const cancel = element('cancel')
const status = element('status')
/** @type {{ id: string, publicKey: string } | undefined} */
let created

go.addEventListener('click', () => run(task.kind === 'enrol' ? enrol(task) : approve(task)))
cancel.addEventListener('click', () => run(send({ cancelled: true })))

/** @param {ApproveTask} task */
async function approve({ relyingParty, challenge, id }) {
  await send(await ask({ relyingParty, challenge }, id))
}

/** The first press makes the passkey, the second uses it: so that nobody enrols one that does not work. */
/** @param {EnrolTask} task */
async function enrol(task) {
  if (created === undefined) {
    created = await create(task)
    mark('made', 'done')
    mark('used', 'now')
    go.textContent = 'Use it once'
    say('The passkey is made. Now use it once.')
    return
  }
  if (await send({ ...created, ...(await ask(task, created.id)) })) mark('used', 'done')
}

/** @param {EnrolTask} task */
async function create({ relyingParty, challenge, name, userId }) {
  say(waiting)
  const credential = await navigator.credentials.create({
    publicKey: {
      rp: { id: relyingParty, name: 'Keyhold' },
      user: { id: bytes(userId), name, displayName: name },
      challenge: bytes(challenge),
      pubKeyCredParams: algorithms.map((alg) => ({ type: 'public-key', alg })),
      authenticatorSelection: { userVerification: 'required', residentKey: 'preferred' },
      attestation: 'none',
      timeout: dialogMs,
    },
  })
  const { rawId, response } = /** @type {PublicKeyCredential} */ (credential)
  const spki = /** @type {AuthenticatorAttestationResponse} */ (response).getPublicKey()
  if (!spki) throw new Error('this browser does not give the public key: use another one')
  return { id: text(rawId), publicKey: text(spki) }
}

/**
 * @param {Ask} ask
 * @param {string} id of the only passkey that may answer
 */
async function ask({ relyingParty, challenge }, id) {
  say(waiting)
  const credential = await navigator.credentials.get({
    publicKey: {
      rpId: relyingParty,
      challenge: bytes(challenge),
      allowCredentials: [{ type: 'public-key', id: bytes(id) }],
      userVerification: 'required',
      timeout: dialogMs,
    },
  })
  const { response } = /** @type {PublicKeyCredential} */ (credential)
  const assertion = /** @type {AuthenticatorAssertionResponse} */ (response)
  return {
    authenticatorData: text(assertion.authenticatorData),
    clientData: text(assertion.clientDataJSON),
    signature: text(assertion.signature),
  }
}

/**
 * @param {object} answer
 * @returns {Promise<boolean>} whether it was accepted
 */
async function send(answer) {
  const response = await fetch('answer', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(answer),
  }).catch(() => undefined)
  if (!response) throw new Error('The command has ended. Nothing was handed over.')
  const { message, isMore } = await response.json()
  if (isMore) {
    location.reload()
  } else {
    document.body.classList.add('over')
    say(message, response.ok ? 'good' : 'bad')
  }
  return response.ok
}

/** One thing at a time, and a plain word for what went wrong. */
/** @param {Promise<unknown>} work */
function run(work) {
  for (const button of [go, cancel]) button.toggleAttribute('disabled', true)
  work
    .catch((error) => say(reason(error), 'bad'))
    .finally(() => {
      const isOver = document.body.classList.contains('over')
      for (const button of [go, cancel]) button.toggleAttribute('disabled', isOver)
      go.focus()
    })
}

/** @param {unknown} error */
function reason(error) {
  if (!(error instanceof Error)) return 'Something went wrong.'
  if (error.name === 'NotAllowedError') {
    return 'Nothing was signed: the dialog was closed, timed out, or the passkey is not here. You can try again.'
  }
  return error.message
}

/**
 * @param {string} message
 * @param {'good' | 'bad' | ''} kind
 */
function say(message, kind = '') {
  status.textContent = message
  status.className = kind
}

/**
 * @param {string} id
 * @param {'done' | 'now'} state
 */
function mark(id, state) {
  const step = element(id)
  step.className = state
  if (state === 'now') step.setAttribute('aria-current', 'step')
  else step.removeAttribute('aria-current')
}

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no ${id}`)
  return found
}

/** @param {string} base64 */
function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}

/** @param {ArrayBuffer} buffer */
function text(buffer) {
  return btoa(String.fromCharCode(...new Uint8Array(buffer)))
}
