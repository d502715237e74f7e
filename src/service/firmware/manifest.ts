// What stands before the parts of an update: a few lines of text, signed with Ed25519. Pure; reads
// only the one form that it writes, so that every byte but the signature is under the signature.

import nacl from 'tweetnacl'
import type { Bytes } from '../../base/bytes.ts'
import { fromHex, toHex } from '../../base/hex.ts'

/** boot and root: a whole slot; app: the program's bundle alone, gzipped. */
export type PartName = 'boot' | 'root' | 'app'

export interface Part {
	readonly name: PartName
	readonly bytes: number
	/** Of those bytes, in hex. */
	readonly sha256: string
}

export interface Manifest {
	readonly board: string
	/** MAJOR.MINOR.PATCH. */
	readonly version: string
	/** When its source is from, in seconds since 1970: orders updates of one version. */
	readonly built: number
	readonly parts: readonly Part[]
}

export const PUBLIC_KEY_BYTES = nacl.sign.publicKeyLength
export const SECRET_KEY_BYTES = nacl.sign.secretKeyLength
/** A longer one is none of ours; nobody holds more of a stranger's bytes before the signature. */
export const MANIFEST_BYTES_MAX = 1024
/** The largest parts that anybody reads. */
const PART_BYTES_MAX: Readonly<Record<PartName, number>> = {
	boot: 2 ** 28, root: 2 ** 30, app: 2 ** 23,
}

const HEAD = 'curvegate-update 1\n'
const END = '\nend\n'
const FORM = new RegExp([
	'^curvegate-update 1\n', '(?<sealed>signature (?<signature>[0-9a-f]{128})\n)',
	'board (?<board>[a-z0-9][a-z0-9-]{0,31})\n',
	'version (?<version>(?:0|[1-9]\\d{0,4})(?:\\.(?:0|[1-9]\\d{0,4})){2})\n',
	'built (?<built>0|[1-9]\\d{0,10})\n',
	'(?<parts>(?:part [a-z]+ [1-9]\\d{0,10} [0-9a-f]{64}\n){1,2})', 'end\n$',
].join(''))

function bodyOf({ board, version, built, parts }: Manifest): string {
	return [
		`board ${board}`, `version ${version}`, `built ${built}`,
		...parts.map(({ name, bytes, sha256 }) => `part ${name} ${bytes} ${sha256}`), 'end', '',
	].join('\n')
}

/** The text that is put before the parts. */
export function signManifest(manifest: Manifest, secretKey: Bytes): string {
	const body = bodyOf(manifest)
	const signature = nacl.sign.detached(new TextEncoder().encode(HEAD + body), secretKey)
	return `${HEAD}signature ${toHex(signature)}\n${body}`
}

/** How long the manifest is that p[0, n) begins with; 0: not all there; undefined: none of ours. */
export function manifestBytes(p: Bytes, n: number): number | undefined {
	const text = new TextDecoder('latin1').decode(p.subarray(0, Math.min(n, MANIFEST_BYTES_MAX)))
	const head = HEAD.slice(0, text.length)
	if (!text.startsWith(head)) return undefined
	const end = text.indexOf(END)
	if (end >= 0) return end + END.length
	return n < MANIFEST_BYTES_MAX ? 0 : undefined
}

/** The manifest, when its form and its signature are right; otherwise what is wrong. */
export function readManifest(text: string, publicKey: Bytes): Manifest | string {
	const { sealed, signature, board, version, built, parts } = FORM.exec(text)?.groups ?? {}
	if (sealed === undefined || signature === undefined) return 'is no update of curvegate'
	const signed = new TextEncoder().encode(text.replace(sealed, ''))
	if (!nacl.sign.detached.verify(signed, fromHex(signature, 64)!, publicKey)) {
		return 'is not signed with the key that this machine trusts'
	}
	const list = parts!.trimEnd().split('\n').map(readPart)
	const names = list.map((part) => part?.name).join(' ')
	if (names !== 'boot root' && names !== 'app') return 'has parts that this version does not know'
	return {
		board: board!, version: version!, built: Number(built), parts: list.map((part) => part!),
	}
}

function readPart(line: string): Part | undefined {
	const [, name, bytes, sha256] = line.split(' ')
	if (name !== 'boot' && name !== 'root' && name !== 'app') return undefined
	const part = { name, bytes: Number(bytes), sha256: sha256! } as const
	return part.bytes <= PART_BYTES_MAX[name] ? part : undefined
}

export function sumOf(manifest: Manifest): number {
	return manifest.parts.reduce((sum, { bytes }) => sum + bytes, 0)
}

export type Version = Pick<Manifest, 'version' | 'built'>

/** Whether a comes before b. */
export function isOlder(a: Version, b: Version): boolean {
	const [ours, theirs] = [numbersOf(a), numbersOf(b)]
	const i = ours.findIndex((number, at) => number !== theirs[at])
	return i >= 0 && ours[i]! < theirs[i]!
}

function numbersOf({ version, built }: Version): number[] {
	return [...version.split('.').map(Number), built]
}

export function versionText({ version, built }: Version): string {
	return `${version} of ${new Date(built * 1000).toISOString().slice(0, 16)}Z`
}
