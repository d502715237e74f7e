// The X25519 public keys with which every secret agrees on zero: the points of small order, all
// their encodings below 2^256, bit 255 set and clear. Verified with two libraries.

const POINTS = [
	'00000000000000000000000000000000000000000000000000000000000000',
	'01000000000000000000000000000000000000000000000000000000000000',
	'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b8',
	'5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11',
	'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
	'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
	'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
]
const LAST = [['00', '80'], ['00', '80'], ['00', '80'], ['57', 'd7'], ['7f', 'ff'], ['7f', 'ff'],
	['7f', 'ff']]

export const LOW_ORDER: readonly string[] = POINTS.flatMap((point, i) =>
	LAST[i]!.map((last) => point + last))
