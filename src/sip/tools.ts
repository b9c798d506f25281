// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * Which tool wrote a message, as a table. The first row whose every test holds gives the name, so rows that look at the
 * shape stand before rows that look at the User-Agent only: a name is changed with one switch, a shape by changing code.
 * docs/fingerprints.md has the same rows; a test holds the two together.
 */

/** What a tool's code fixes of a message, each part in the few characters that docs/fingerprints.md explains. */
export interface MessageShape {
  readonly headers: string
  readonly branch: string
  readonly hop: string
  readonly from: string
  readonly tag: string
  readonly callId: string
  readonly cseq: string
  readonly maxForwards: string
  readonly contact: string
  readonly sdp: string
}

/** Words that some tools always write, as received and cut short; the empty string where there is none. */
export interface MessageTexts {
  readonly branch: string
  readonly tag: string
  /** The `s=` line of the SDP body. */
  readonly session: string
  readonly userAgent: string
}

export interface ToolRule {
  /** Of [a-z0-9-]. */
  readonly name: string
  /** Each part named here is one of these. */
  readonly shape?: Partial<Record<keyof MessageShape, readonly string[]>>
  /** Each text named here matches. Anchored, without nested repetition: the text is the sender's. */
  readonly texts?: Partial<Record<keyof MessageTexts, RegExp>>
  /** How we know. */
  readonly evidence: string
}

const SIPVICIOUS_03 = 'vmtfuikcl'
const SIPVICIOUS_02 = 'vlfutkcim'

/** In order of precedence. */
export const TOOL_RULES: readonly ToolRule[] = [
  {
    name: 'sipvicious-svmap',
    shape: { headers: [SIPVICIOUS_03, SIPVICIOUS_02], branch: ['z-x1'], callId: ['d3'] },
    evidence:
      'Captured from svmap 0.3.3: a Call-ID of 80 random bits in decimal. Published logs of 0.2: another order.',
  },
  {
    name: 'sipvicious-svwar',
    shape: { headers: [SIPVICIOUS_03], branch: ['z-x1'], callId: ['x1'], from: ['q'] },
    evidence: 'Captured from svwar 0.3.3: a Call-ID of 32 bits; the quoted extension touches the bracket.',
  },
  {
    name: 'sipvicious-svcrack',
    shape: { headers: [SIPVICIOUS_03], branch: ['z-x1'], callId: ['x1'], from: ['Q'] },
    evidence: 'Captured from svcrack 0.3.3: as svwar, with a space before the bracket.',
  },
  {
    name: 'sipvicious',
    shape: { headers: [SIPVICIOUS_03, SIPVICIOUS_02], branch: ['z-x1'] },
    evidence: 'The header order of either version with its decimal branch, whatever was renamed; sundayddr is one.',
  },
  {
    name: 'metasploit',
    texts: { tag: /^70c00e8c$/ },
    evidence: 'The SIP modules in the public source of Metasploit write this one From tag always.',
  },
  {
    name: 'sipp',
    shape: { branch: ['z-x-x-x'] },
    texts: { tag: /^\d{1,10}SIPpTag\d/ },
    evidence: 'Captured from sipp 3.6.1: the tag of its built-in scenarios, its branch of process, call and message.',
  },
  {
    name: 'sipp',
    shape: { branch: ['z-x-x-x'], callId: ['x-xh'] },
    evidence: 'Captured from sipp 3.6.1: what its keywords [branch] and [call_id] become in any scenario.',
  },
  {
    name: 'sipsak',
    shape: { branch: ['z_x1'], from: ['u'], callId: ['x1h'] },
    evidence: 'Captured from sipsak 0.9.8.1: a bare From, a branch of a point and eight hexadecimal digits.',
  },
  {
    name: 'nmap',
    shape: { branch: ['oa1'] },
    texts: { tag: /^root$/ },
    evidence: 'The SIP probe of nmap -sV, in its public probe file and in published logs: branch foo, tag root.',
  },
  {
    name: 'nmap',
    shape: { headers: ['vmfticukl'], branch: ['za3'], hop: ['prb'], from: ['Q'], callId: ['a3'] },
    evidence: 'A published capture of the OPTIONS of its scripts: rport first, a Call-ID of 60 letters and digits.',
  },
  {
    name: 'sippts',
    texts: { session: /^SIPPTS$/ },
    evidence: 'The session name in the public source of sippts.',
  },
  {
    name: 'sippts',
    shape: { headers: ['vf_t_kicmul', 'vftkicmul', 'vf_t_icmul', 'vfticmul'], branch: ['oa3'], callId: ['x3'] },
    evidence: 'The public source of sippts: a branch of 71 characters without the cookie, a Call-ID of 32 digits.',
  },
  {
    name: 'pplsip',
    shape: { headers: ['vmftickul'], branch: ['zx1'], hop: ['pb'], callId: ['x-x-x'] },
    evidence: 'A toll-fraud INVITE that another honeypot published: three decimal numbers as Call-ID, no rport.',
  },
  {
    name: 'sipcli',
    shape: { headers: ['tfvickmul'], branch: ['z-x3'], from: ['t'] },
    evidence:
      'Published captures: To and From before Via, a branch of 32 digits, a bare name that touches the bracket.',
  },
  {
    name: 'voip-extension-scanner',
    shape: { headers: ['tfvickmul'], branch: ['z-x-x-x--'], tag: ['x2'], callId: ['x2'] },
    evidence: 'A REGISTER sweep as VOIP that another honeypot published; its branch is that of an old softphone.',
  },
  {
    name: 'mr-sip',
    shape: { headers: ['vftickml', 'vmtfickul', 'vmktficul'], branch: ['z-x1'], tag: ['x1'], callId: ['a3', 'a3h'] },
    evidence: 'The message templates in the public source of Mr.SIP: ten digits as branch, a Call-ID of 32.',
  },
  {
    name: 'portsip',
    shape: { branch: ['z-x-x---x'] },
    texts: { userAgent: /^PortSIP/ },
    evidence: 'Its published logs: the reSIProcate branch. The name tells it from other programs on that stack.',
  },
  {
    name: 'resiprocate',
    shape: { headers: ['vmktficul'], branch: ['z-x-x---x'] },
    evidence: 'Published logs of programs on the reSIProcate stack, softphones and diallers alike.',
  },
  {
    name: 'baresip',
    shape: { headers: ['vkmtficul', 'vmtficul'], branch: ['zx2'], hop: ['pbr'], tag: ['x2'], callId: ['x2'] },
    evidence: 'Published captures of 0.5 to 1.1: branch, tag and Call-ID of sixteen hexadecimal digits each.',
  },
  {
    name: 'linphone',
    shape: { headers: ['vftcimkul'], branch: ['z_a1'], tag: ['a1'], callId: ['a1'] },
    evidence: 'A published REGISTER of Linphone 3.9 (belle-sip): CSeq before Call-ID, short random words.',
  },
  {
    name: 'exosip',
    shape: { headers: ['vftickmul'], branch: ['zx1'], hop: ['prb'], tag: ['x1'], callId: ['x1'] },
    evidence: 'Published messages of Linphone 3.3 to 3.6, which stood on eXosip: rport first, decimal numbers.',
  },
  {
    name: 'pjsip',
    texts: { branch: /^z9hG4bKPj/ },
    evidence: 'Published captures of PJSIP programs, MicroSIP and Asterisk 20 among them: a branch with Pj.',
  },
  {
    name: 'asterisk-chan-sip',
    texts: { tag: /^as[0-9a-f]{8}$/ },
    evidence: 'Published traces of the old SIP channel of Asterisk: a tag of as and eight hexadecimal digits.',
  },
  {
    name: 'sipvicious',
    texts: { userAgent: /^(?:friendly-scanner|sipvicious|sundayddr)/i },
    evidence: 'The default name of sipvicious, and names of copies of it in public block lists.',
  },
  { name: 'sipcli', texts: { userAgent: /^sipcli/i }, evidence: 'Named in public block lists.' },
  { name: 'vaxsip', texts: { userAgent: /^VaxSIPUserAgent/i }, evidence: 'Named in public block lists.' },
  {
    name: 'pplsip',
    texts: { userAgent: /^pplsip/i },
    evidence: 'Named in public block lists; sippts calls itself so too.',
  },
  { name: 'mr-sip', texts: { userAgent: /^Mr\.?SIP/i }, evidence: 'The name of the project.' },
  { name: 'portsip', texts: { userAgent: /^PortSIP/i }, evidence: 'The name in its published logs.' },
  { name: 'sipsak', texts: { userAgent: /^sipsak/i }, evidence: 'Captured from sipsak 0.9.8.1.' },
  { name: 'sipp', texts: { userAgent: /^SIPp(?![a-z])/i }, evidence: 'The name of the project.' },
  { name: 'nmap', texts: { userAgent: /^Nmap NSE/i }, evidence: 'The name in published captures of its scripts.' },
  { name: 'baresip', texts: { userAgent: /^baresip/i }, evidence: 'The name in its published captures.' },
  { name: 'linphone', texts: { userAgent: /^Linphone/i }, evidence: 'The name in its published captures.' },
]

/** A row whose shape fits, and the texts that have to match still. */
interface TextRule {
  readonly name: string
  readonly texts: readonly (readonly [text: keyof MessageTexts, pattern: RegExp])[]
}

/** What the shape of a message leaves open. */
export interface Candidates {
  /** To be asked in this order. */
  readonly rules: readonly TextRule[]
  /** The name if none of them fits and whatever the User-Agent says; null: what the User-Agent says. */
  readonly otherwise: string | null
}

// The rows at the end that look at nothing but the User-Agent, and one question to begin with instead of eleven.
const AGENT_RULES = TOOL_RULES.slice(TOOL_RULES.findLastIndex((rule) => !isAgentRule(rule)) + 1)
const ANY_AGENT = new RegExp(AGENT_RULES.map(({ texts }) => `(?:${texts?.userAgent?.source})`).join('|'), 'i')
const OTHER_RULES = TOOL_RULES.slice(0, -AGENT_RULES.length)

function isAgentRule({ shape, texts }: ToolRule): boolean {
  return shape === undefined && Object.keys(texts ?? {}).join() === 'userAgent'
}

/** The rows that may name a tool that writes messages of this shape. */
export function candidatesFor(shape: MessageShape): Candidates {
  const fitting = OTHER_RULES.filter((rule) => hasShape(rule, shape))
  const certain = fitting.findIndex(({ texts }) => texts === undefined)
  return {
    rules: fitting.slice(0, certain === -1 ? fitting.length : certain).map(({ name, texts }) => ({
      name,
      texts: Object.entries(texts ?? {}) as [keyof MessageTexts, RegExp][], // keys of a literal that is checked above
    })),
    otherwise: fitting[certain]?.name ?? null,
  }
}

function hasShape({ shape = {} }: ToolRule, given: MessageShape): boolean {
  const parts = Object.entries(shape) as [keyof MessageShape, readonly string[]][] // as above
  return parts.every(([part, oneOf]) => oneOf.includes(given[part]))
}

/** The name of the first row whose every test holds, or null. */
export function toolOf({ rules, otherwise }: Candidates, texts: MessageTexts): string | null {
  for (const rule of rules) if (matches(rule, texts)) return rule.name
  if (otherwise !== null || !ANY_AGENT.test(texts.userAgent)) return otherwise
  return AGENT_RULES.find((rule) => rule.texts?.userAgent?.test(texts.userAgent))?.name ?? null
}

function matches(rule: TextRule, texts: MessageTexts): boolean {
  for (const [text, pattern] of rule.texts) if (!pattern.test(texts[text])) return false
  return true
}
