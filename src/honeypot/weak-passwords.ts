// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Chosen: more than any list in use has, and few enough for one request to be checked in some 10 ms.
const MAX_LINES = 10_000
const MAX_CHARACTERS = 128
const MAX_USER_CHARACTERS = 64 // chosen: no extension is longer, and what is made of it stays short

/**
 * What scanners try on extensions: none at all, digits, words of the trade, what phones and PBXs come with. The ten that
 * are tried most stand first.
 */
export const WEAK_PASSWORDS: readonly string[] = [
  '',
  ...`1234 12345 123456 12345678 0000 1111 password admin secret
  0 1 000 111 123 321 1212 2222 2580 3333 4321 4444 5555 6666 7777 8888 9999 00000 11111 54321 55555 000000 111111
  112233 121212 123123 123321 222222 555555 654321 666666 888888 999999 1234567 7654321 00000000 01234567 11111111
  87654321 88888888 123456789 987654321 0123456789 1234567890 admin1 admin123 admin1234 administrator root toor
  user guest test test1 test123 test1234 demo default changeme Password password1 password123 Password1 Password123
  passw0rd P@ssw0rd pass pass123 pass1234 passwd secret123 letmein welcome master support service system operator
  manager office sip sip123 sip1234 sipsip sipuser sippass sipphone siptrunk voip voip123 voip1234 voipvoip phone
  phone123 telephone extension ext pbx pbx123 asterisk asterisk123 trixbox elastix freepbx freeswitch issabel
  vicidial 3cx cisco polycom grandstream yealink snom qwerty qwerty123 qazwsx 1q2w3e 1q2w3e4r 1qaz2wsx asdf asdfgh
  abc123 abcd1234 a1b2c3 x`.split(/\s+/),
]

const DERIVED: readonly ((user: string) => string)[] = [
  (user) => user,
  (user) => user + user,
  (user) => [...user].reverse().join(''),
  (user) => user + user + user,
  (user) => `${user}1`,
  (user) => `${user}123`,
  (user) => `${user}1234`,
  (user) => `${user}!`,
  (user) => `${user}@123`,
  (user) => `${user}abc`,
  (user) => `${user}pass`,
  (user) => `0${user}`,
  (user) => `1${user}`,
  (user) => `123${user}`,
  (user) => `a${user}`,
  (user) => `abc${user}`,
  (user) => `ext${user}`,
  (user) => `pass${user}`,
  (user) => `password${user}`,
  (user) => `secret${user}`,
  (user) => `sip${user}`,
  (user) => `voip${user}`,
]

/** How many passwords at most are made of a user. */
export const DERIVED_COUNT = DERIVED.length

/** The passwords to try for this user: those made of its name first, then the list, none twice if the list has none. */
export function* weakPasswords(user: string, list: readonly string[]): Generator<string> {
  const derived = new Set(derivedPasswords(user))
  yield* derived
  for (const password of list) if (!derived.has(password)) yield password
}

/**
 * Reads an operator's own list: one password a line, taken as it is; empty lines and lines that begin with `#` are left
 * out. Throws an Error that names the line for more than 10,000 lines or 128 characters in one.
 */
export function readWeakPasswords(text: string): string[] {
  const lines = text.replace(/^\uFEFF/, '').split('\n')
  if (lines.at(-1) === '') lines.pop()
  if (lines.length > MAX_LINES) throw new Error(`line ${MAX_LINES + 1}: a list has at most ${MAX_LINES} lines`)
  const passwords = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line))
  const tooLong = passwords.findIndex((password) => password.length > MAX_CHARACTERS)
  if (tooLong !== -1) throw new Error(`line ${tooLong + 1}: a line has at most ${MAX_CHARACTERS} characters`)
  return [...new Set(passwords.filter((password) => password !== '' && !password.startsWith('#')))]
}

/** Of the user alone: some clients write `100@example.com`. */
function derivedPasswords(user: string): string[] {
  const at = user.indexOf('@')
  const name = at === -1 ? user : user.slice(0, at)
  return name === '' || name.length > MAX_USER_CHARACTERS ? [] : DERIVED.map((derive) => derive(name))
}
