// X25519 through node:crypto, 12 times as fast as portable JavaScript. Keys go in as JWK, the
// cheapest import. Checked at start with a known answer; an implementation that fails it is not
// used.

import { createPrivateKey, createPublicKey, diffieHellman, type KeyObject } from 'node:crypto'
import type { Bytes } from '../base/bytes.ts'
import { fromHex, toHex } from '../base/hex.ts'
import type { Agree } from '../crypto/tweetnacl.ts'

/** The short-term client and long-term server key of a recorded connection (scenario A). */
const KNOWN_SECRET = 'ee5fe6f70bcaff67d3afe34b859721ee95c6753d7ea530eedb2754ae629e29c5'
const KNOWN_PUBLIC = 'e84f07f7e3d2a40c6151558b6acfbcf86dc38a5a7117a65a22a3c54eca5e462a'
const KNOWN_AGREEMENT = 'e2b10377c2690a6de9e39c3c909f3e634c022980ecde3ecd14337420428cae49'

const UNUSED_PUBLIC = base64(new Uint8Array(32))

/** undefined when this Node cannot do it, or does it wrong. */
export function nodeAgree(): Agree | undefined {
	try {
		const agreement = agree(fromHex(KNOWN_SECRET, 32)!, fromHex(KNOWN_PUBLIC, 32)!)
		return agreement !== undefined && toHex(agreement) === KNOWN_AGREEMENT ? agree : undefined
	} catch {
		return undefined
	}
}

function agree(secret: Bytes, theirs: Bytes): Bytes | undefined {
	const privateKey = importSecret(secret)
	try {
		const publicKey = createPublicKey({
			key: { kty: 'OKP', crv: 'X25519', x: base64(theirs) }, format: 'jwk',
		})
		return diffieHellman({ privateKey, publicKey })
	} catch {
		return undefined // a low-order point
	}
}

/** Node takes d alone into account, but wants an x beside it. */
function importSecret(secret: Bytes): KeyObject {
	const d = base64(secret)
	const key = { kty: 'OKP', crv: 'X25519', x: UNUSED_PUBLIC, d }
	return createPrivateKey({ key, format: 'jwk' })
}

function base64(p: Bytes): string {
	return Buffer.from(p.buffer, p.byteOffset, p.length).toString('base64url')
}
