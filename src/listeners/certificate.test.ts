// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type CertificateFiles, certificatePair } from './certificate.ts'
import { fixtureFolder } from './fixture-folder.ts'

/** A place for a pair, and what was said of it. */
async function place(t: TestContext) {
  const folder = await fixtureFolder(t)
  const files: CertificateFiles = { certFile: join(folder, 'cert.pem'), keyFile: join(folder, 'key.pem') }
  const said: string[] = []
  return { folder, files, said, pair: () => certificatePair(files, (text) => said.push(text)) }
}

test('where there is no pair one is made, once, the key for its owner only', async (t) => {
  const { folder, files, said, pair } = await place(t)
  const made = await pair()
  assert.deepEqual(await pair(), made)
  assert.deepEqual(said, [`Made a self-signed TLS certificate: ${files.certFile}, ${files.keyFile}`])
  assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600)
  assert.equal((await stat(files.certFile)).mode & 0o777, 0o644)
  assert.deepEqual((await readdir(folder)).sort(), ['cert.pem', 'key.pem'], 'no temporary file stays')
})

test('what a start that was killed left half written is in nobody’s way', async (t) => {
  const { folder, files, pair } = await place(t)
  await writeFile(`${files.keyFile}.${process.pid}.tmp`, 'half')
  await pair()
  assert.deepEqual((await readdir(folder)).sort(), ['cert.pem', 'key.pem'])
})

test('the key is for its owner only whatever the umask is', async (t) => {
  const { files, pair } = await place(t)
  const before = process.umask(0)
  t.after(() => process.umask(before))
  await pair()
  assert.equal((await stat(files.keyFile)).mode & 0o777, 0o600)
})

test('the certificate is valid now and for years, and signed by its own key', async (t) => {
  const { pair } = await place(t)
  const certificate = new X509Certificate((await pair()).cert)
  assert.ok(certificate.verify(certificate.publicKey))
  assert.ok(new Date(certificate.validFrom).getTime() < Date.now())
  assert.ok(new Date(certificate.validTo).getTime() > Date.now() + 9 * 365 * 86_400_000)
})

for (const [gone, kept] of [
  ['keyFile', 'certFile'],
  ['certFile', 'keyFile'],
] as const) {
  test(`a lone ${kept} of a pair of ours is replaced by a whole new pair`, async (t) => {
    const { files, said, pair } = await place(t)
    const before = await pair()
    await rm(files[gone])
    const after = await pair()
    assert.notEqual(after.key, before.key)
    assert.notEqual(after.cert, before.cert)
    assert.equal(said.length, 2)
    assert.deepEqual(await pair(), after)
  })

  test(`a lone ${kept} of somebody else is refused and left alone`, async (t) => {
    const { folder, files, pair } = await place(t)
    const foreign = await foreignPair(t)
    const text = kept === 'certFile' ? foreign.cert : foreign.key
    await writeFile(files[kept], text)
    await assert.rejects(pair(), { code: 'TLS_UNREADABLE', message: new RegExp(`${files[gone]} is missing`) })
    assert.equal(await readFile(files[kept], 'utf8'), text)
    assert.equal((await readdir(folder)).length, 1)
  })
}

test('a pair of somebody else is taken as it is', async (t) => {
  const { files, said, pair } = await place(t)
  const foreign = await foreignPair(t)
  await writeFile(files.certFile, foreign.cert)
  await writeFile(files.keyFile, foreign.key)
  assert.deepEqual(await pair(), foreign)
  assert.deepEqual(said, [])
})

for (const [what, cert, key] of [
  ['no PEM', 'hello', 'hello'],
  ['two empty files', '', ''],
  ['a certificate cut in half', null, undefined],
  ['a key of another pair', undefined, null],
] as const) {
  test(`${what} is refused with what to do, and left as it is`, async (t) => {
    const { files, pair } = await place(t)
    const [one, other] = [await foreignPair(t), await foreignPair(t)]
    const texts = [
      cert === null ? one.cert.slice(0, 200) : (cert ?? one.cert),
      key === null ? other.key : (key ?? one.key),
    ]
    await writeFile(files.certFile, texts[0] ?? '')
    await writeFile(files.keyFile, texts[1] ?? '')
    await assert.rejects(pair(), { code: 'TLS_UNREADABLE', hint: /remove both files/ })
    assert.deepEqual([await readFile(files.certFile, 'utf8'), await readFile(files.keyFile, 'utf8')], texts)
  })
}

test('a folder that is not there is named, with what to do', async (t) => {
  const folder = await fixtureFolder(t)
  const files = { certFile: join(folder, 'no/cert.pem'), keyFile: join(folder, 'no/key.pem') }
  await assert.rejects(certificatePair(files, assert.fail), {
    code: 'TLS_UNREADABLE',
    message: /cannot write .*no\/key\.pem: ENOENT/,
    hint: /-t and -k, or switch TLS off with -N/,
  })
})

test('a place of the certificate that cannot be written leaves no half of a pair that could not be remade', async (t) => {
  const { folder, pair, files } = await place(t)
  const blocked = { certFile: join(folder, 'no/cert.pem'), keyFile: files.keyFile }
  await assert.rejects(certificatePair(blocked, assert.fail), { code: 'TLS_UNREADABLE' })
  await pair()
})

/** A sound pair without the mark that ours have. */
async function foreignPair(t: TestContext) {
  const { pair } = await place(t)
  const { cert, key } = await pair()
  const unmarked = (text: string) => text.slice(text.indexOf('-----BEGIN'))
  return { cert: unmarked(cert), key: unmarked(key) }
}
