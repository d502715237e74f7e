// The key pair that signs updates. The secret half stays with whoever builds; images get the public
// half. Made once, never overwritten: boxes in the world trust it.

import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import nacl from 'tweetnacl'
import { fromHex, toHex } from '../../src/base/hex.ts'
import { Trouble, troubleOf } from '../../src/platform/trouble.ts'
import { SECRET_KEY_BYTES } from '../../src/service/firmware/manifest.ts'

export const UPDATE_KEY_FOLDER = '.curvegate'

export interface UpdateKey {
	/** 64 hexadecimal digits and a newline: what an image has as /etc/curvegate/update.pub. */
	readonly publicFile: string
	/** Never leaves this machine. */
	readonly secretFile: string
	readonly isNew: boolean
}

/** Throws Trouble when one half is without the other. */
export function ensureUpdateKey(folder = UPDATE_KEY_FOLDER): UpdateKey {
	const publicFile = join(folder, 'update.pub')
	const secretFile = join(folder, 'update.key')
	if (existsSync(secretFile)) {
		const pair = nacl.sign.keyPair.fromSecretKey(readSecretKey(secretFile))
		// A lost public half is contained in the secret one.
		if (!existsSync(publicFile)) writeFileSync(publicFile, `${toHex(pair.publicKey)}\n`)
		return { publicFile, secretFile, isNew: false }
	}
	if (existsSync(publicFile)) {
		throw new Trouble('sign with', secretFile, `there is only ${publicFile}; bring its secret `
			+ 'half, or move it away for a new pair, which no box in the world will trust')
	}
	const pair = nacl.sign.keyPair()
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 })
		writeFileSync(secretFile, `${toHex(pair.secretKey)}\n`, { mode: 0o600, flag: 'wx' })
		chmodSync(secretFile, 0o600)
		writeFileSync(publicFile, `${toHex(pair.publicKey)}\n`)
	} catch (error) {
		throw troubleOf('write', secretFile, error)
	} finally {
		pair.secretKey.fill(0)
	}
	return { publicFile, secretFile, isNew: true }
}

/** Whoever has read it purges it. */
export function readSecretKey(file: string): Uint8Array {
	const key = fromHex(readFileSync(file, 'utf8').trim(), SECRET_KEY_BYTES)
	if (key === undefined) {
		throw new Trouble('read', file, `expected ${2 * SECRET_KEY_BYTES} hexadecimal digits`)
	}
	return key
}
