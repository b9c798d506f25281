// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chmod, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { createSecureContext } from 'node:tls'
import { OperatorError, reason } from '../ops/errors.ts'

const VALID_DAYS = 3650
const MARK = 'self-signed by this node' // tells a pair of ours from one that somebody gave us

export interface CertificatePair {
  readonly cert: string
  readonly key: string
}

export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/**
 * Reads the PEM certificate and private key, and makes a self-signed pair where there is none. Each file is written
 * beside its place and renamed, the key readable by its owner only. When one file of a pair of ours is gone both are
 * made anew; half of somebody else's pair is left alone. Throws OperatorError TLS_UNREADABLE.
 */
export async function certificatePair(
  { certFile, keyFile }: CertificateFiles,
  onMade: (text: string) => void,
): Promise<CertificatePair> {
  const [hasCert, hasKey] = await Promise.all([exists(certFile), exists(keyFile)])
  if (hasCert !== hasKey && !(await isOurHalf(hasCert ? certFile : keyFile))) {
    throw unreadable(
      `${hasCert ? keyFile : certFile} is missing, and ${hasCert ? certFile : keyFile} was not made by this program`,
      'Put the missing half beside it, name both with -t and -k, or remove the other to have a pair made.',
    )
  }
  if (!hasCert || !hasKey) {
    const pair = await selfSigned()
    await writeBeside(keyFile, pair.key, 0o600)
    await writeBeside(certFile, pair.cert, 0o644)
    onMade(`Made a self-signed TLS certificate: ${certFile}, ${keyFile}`)
    return pair
  }
  const pair = { cert: await read(certFile), key: await read(keyFile) }
  try {
    createSecureContext(pair)
    void [new X509Certificate(pair.cert), createPrivateKey(pair.key)] // it takes empty text for "not given"
    return pair
  } catch (cause) {
    throw unreadable(
      `${certFile} and ${keyFile} are no PEM certificate and matching private key: ${reason(cause)}`,
      'Give a certificate with its own unencrypted key, or remove both files to have a pair made.',
      cause,
    )
  }
}

async function selfSigned(): Promise<CertificatePair> {
  await import('reflect-metadata') // the library's own dependency injection wants it there first
  const { X509CertificateGenerator } = await import('@peculiar/x509') // only at the first start
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const notBefore = new Date(Date.now() - 86_400_000) // clients' clocks are not always right
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${hostname().replace(/[^A-Za-z0-9.-]/g, '') || 'localhost'}`,
    notBefore,
    notAfter: new Date(notBefore.getTime() + VALID_DAYS * 86_400_000),
    signingAlgorithm: algorithm,
    keys,
  })
  const pkcs8 = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const body = pkcs8.replace(/.{64}/g, '$&\n').trimEnd()
  return {
    cert: `${MARK}\n${certificate.toString('pem')}\n`,
    key: `${MARK}\n-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
  }
}

/** PEM readers pass over text before the first BEGIN line (RFC 7468 §2), so that is where our mark is. */
async function isOurHalf(file: string): Promise<boolean> {
  return (await read(file)).startsWith(MARK)
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'latin1')
  } catch (cause) {
    throw unreadable(
      `cannot read ${file}: ${reason(cause)}`,
      'Let the user that runs sentrypeer read it, name other files with -t and -k, or switch TLS off with -N.',
      cause,
    )
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file, constants.F_OK).then(
    () => true,
    () => false,
  )
}

async function writeBeside(file: string, text: string, mode: number): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    await rm(temporary, { force: true }) // of a start that was killed; in a container every process has the same id
    await writeFile(temporary, text, { mode, flag: 'wx' })
    await chmod(temporary, mode) // whatever the umask was
    await rename(temporary, file)
  } catch (cause) {
    await rm(temporary, { force: true })
    throw unreadable(
      `cannot write ${file}: ${reason(cause)}`,
      'Check the folder, name other files with -t and -k, or switch TLS off with -N.',
      cause,
    )
  }
}

function unreadable(message: string, hint: string, cause?: unknown): OperatorError {
  return new OperatorError('TLS_UNREADABLE', message, hint, cause)
}
