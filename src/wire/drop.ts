// Why input was refused: at once the return value, the counter's name and the test's expectation.

export type Drop =
	| 'length'
	| 'magic'
	| 'extension'
	| 'connection'
	| 'nonce'
	| 'replay'
	| 'box'
	| 'cookie'
	| 'vouch'
	| 'name'
	| 'policy'
	| 'full'
	| GatewayDrop

export type GatewayDrop = 'route' | 'fence' | 'ttl' | 'fragment' | 'options' | 'checksum' | 'rate'

export const DROPS: readonly Drop[] = [
	'length', 'magic', 'extension', 'connection', 'nonce', 'replay', 'box', 'cookie', 'vouch', 'name',
	'policy', 'full', 'route', 'fence', 'ttl', 'fragment', 'options', 'checksum', 'rate',
]

export type DropCounts = Record<Drop, number>

export function makeDropCounts(): DropCounts {
	return Object.fromEntries(DROPS.map((drop) => [drop, 0])) as DropCounts
}
