// Long-term key directories in NaCl's layout, shared with the original tools. A new one is made
// complete under another name, then moved into place: a power cut leaves all of it or nothing.
// spec: protocol.md 6.5

import { basename, dirname, join, resolve } from 'node:path'
import type { Bytes } from '../base/bytes.ts'
import type { Random } from '../base/random.ts'
import { shellWord } from '../base/shell.ts'
import { KEY_BYTES, type Box } from '../crypto/box.ts'
import { nodeDisk, type Disk } from './disk.ts'
import { Trouble, troubleOf } from './trouble.ts'

const PUBLIC_KEY = 'publickey'
const EXPERTS = '.expertsonly'
const SECRET_KEY = '.expertsonly/secretkey'
const LOCK = '.expertsonly/lock'
const NONCE_KEY = '.expertsonly/noncekey'
const NONCE_COUNTER = '.expertsonly/noncecounter'

export interface Keys {
	readonly publicKey: Bytes
	/** Its owner purges it. */
	readonly secretKey: Bytes
}

/** Makes dir, which must not exist, with a fresh key pair; returns the public key. */
export function createKeys(dir: string, box: Box, random: Random, disk: Disk = nodeDisk): Bytes {
	const target = resolve(dir)
	const folder = dirname(target)
	if (lookAt(folder, disk)?.kind !== 'folder') {
		throw new Trouble('create', dir, `there is no folder ${shellWord(folder)}`, 'ENOENT')
	}
	refuseTaken(dir, target, disk)
	// A folder that a power cut left behind has the name of a process that is no more.
	const prefix = `.${basename(target)}.unfinished-`
	const making = join(folder, `${prefix}${process.pid}`)
	try {
		for (const name of disk.list(folder)) {
			if (name.startsWith(prefix) && !isAlive(Number(name.slice(prefix.length)))) {
				disk.remove(join(folder, name))
			}
		}
		disk.remove(making)
		const publicKey = fillFolder(making, box, random, disk)
		refuseTaken(dir, target, disk)
		disk.rename(making, target)
		disk.sync(folder)
		return publicKey
	} catch (error) {
		tryRemove(making, disk)
		throw troubleOf('create', dir, error)
	}
}

/** Everything inside is on the medium when this returns; only the folder's own name is not. */
function fillFolder(making: string, box: Box, random: Random, disk: Disk): Bytes {
	const publicKey = new Uint8Array(KEY_BYTES)
	const secretKey = new Uint8Array(KEY_BYTES)
	const nonceKey = new Uint8Array(KEY_BYTES)
	box.keypair(publicKey, secretKey, random)
	random.fill(nonceKey, 0, KEY_BYTES)
	const files: readonly (readonly [path: string, bytes: Bytes, mode: number])[] = [
		[PUBLIC_KEY, publicKey, 0o644],
		[SECRET_KEY, secretKey, 0o600],
		[LOCK, new Uint8Array(1), 0o600],
		[NONCE_KEY, nonceKey, 0o600],
		[NONCE_COUNTER, new Uint8Array(8), 0o600],
	]
	try {
		disk.makeFolder(making, 0o755)
		disk.makeFolder(join(making, EXPERTS), 0o700)
		for (const [path, bytes, mode] of files) {
			disk.write(join(making, path), bytes, mode)
			disk.sync(join(making, path))
		}
		disk.sync(join(making, EXPERTS))
		disk.sync(making)
		return publicKey
	} finally {
		box.purge(secretKey)
		box.purge(nonceKey)
	}
}

/** Moving a folder onto an empty one would replace it: what is there stays, whatever it is. */
function refuseTaken(dir: string, target: string, disk: Disk): void {
	if (!disk.list(dirname(target)).includes(basename(target))) return
	throw new Trouble('create', dir, 'it exists already, and keys are never overwritten', 'EEXIST')
}

function tryRemove(making: string, disk: Disk): void {
	try {
		disk.remove(making)
	} catch {
		// The first trouble is the one to tell.
	}
}

function isAlive(pid: number): boolean {
	if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false
	try {
		process.kill(pid, 0)
		return true
	} catch (error) {
		return error instanceof Error && 'code' in error && error.code === 'EPERM'
	}
}

/** Anyone may read this one; the secret key is not touched. */
export function readPublicKey(dir: string, disk: Disk = nodeDisk): Bytes {
	refuseNoFolder(dir, disk)
	return readKey(dir, PUBLIC_KEY, disk)
}

/** The pair, checked: no other user can read the secret; the public key beside it is its own. */
export function readKeys(dir: string, box: Box, disk: Disk = nodeDisk): Keys {
	refuseNoFolder(dir, disk)
	refuseOpen(join(dir, EXPERTS), 'folder', 0o700, disk)
	refuseOpen(join(dir, SECRET_KEY), 'file', 0o600, disk)
	const secretKey = readKey(dir, SECRET_KEY, disk)
	const publicKey = new Uint8Array(KEY_BYTES)
	box.publicOf(publicKey, secretKey)
	// The original server does without this file, so it may be absent; a foreign one misleads users.
	const beside = disk.look(join(dir, PUBLIC_KEY)) === undefined ? publicKey
		: readKey(dir, PUBLIC_KEY, disk)
	if (box.equal(publicKey, 0, beside, 0, KEY_BYTES)) return { publicKey, secretKey }
	box.purge(secretKey)
	throw new Trouble('use', join(dir, PUBLIC_KEY), 'it does not belong to the secret key beside it')
}

function refuseNoFolder(dir: string, disk: Disk): void {
	const seen = lookAt(dir, disk)
	if (seen === undefined) {
		const cure = `curvegate keygen ${shellWord(dir)}`
		throw new Trouble('read', dir, `no such key directory; cure: ${cure}`, 'ENOENT')
	}
	if (seen.kind !== 'folder') throw new Trouble('read', dir, 'not a key directory', 'ENOTDIR')
}

/** Secrets that others of this machine can reach are secrets no more. */
function refuseOpen(path: string, kind: 'file' | 'folder', mode: number, disk: Disk): void {
	const seen = lookAt(path, disk)
	if (seen === undefined) throw new Trouble('read', path, `no such ${kind}`, 'ENOENT')
	if (seen.kind !== kind) throw new Trouble('read', path, `not a ${kind}`)
	if ((seen.mode & 0o077) === 0) return
	const found = seen.mode.toString(8).padStart(4, '0')
	const cure = `chmod ${mode.toString(8)} ${shellWord(path)}`
	throw new Trouble('use', path, `open to other users (mode ${found}); cure: ${cure}`)
}

function lookAt(path: string, disk: Disk): ReturnType<Disk['look']> {
	try {
		return disk.look(path)
	} catch (error) {
		throw troubleOf('read', path, error)
	}
}

/** The first 32 bytes; the original readers ignore the rest too. */
function readKey(dir: string, file: string, disk: Disk): Bytes {
	const path = join(dir, file)
	const key = new Uint8Array(KEY_BYTES)
	let n: number
	try {
		n = disk.read(path, key)
	} catch (error) {
		throw troubleOf('read', path, error)
	}
	if (n === KEY_BYTES) return key
	throw new Trouble('read', path, `${n} bytes, expected ${KEY_BYTES}`)
}
