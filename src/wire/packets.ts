// The whole wire on one page: every packet as offset : size : field, boxes indented, totals at the
// foot. Offsets count from the first byte of the UDP payload. All integers are little-endian. A box
// is its 16-byte tag followed by as many bytes as its plaintext. spec: protocol.md 1

import { assert } from '../base/assert.ts'

// Every packet:
//    0 :  8 : magic, the last byte tells the kind
//    8 : 16 : extension of the receiver
//   24 : 16 : extension of the sender

export const MAGIC_BYTES = 8
export const EXTENSION_BYTES = 16
export const PACKET_RECEIVER_EXTENSION = 8
export const PACKET_SENDER_EXTENSION = 24

/** QvnQ5Xl, then H, I or M. */
export const CLIENT_MAGIC = [0x51, 0x76, 0x6e, 0x51, 0x35, 0x58, 0x6c] as const
/** RL3aNMX, then K or M. */
export const SERVER_MAGIC = [0x52, 0x4c, 0x33, 0x61, 0x4e, 0x4d, 0x58] as const
export const PACKET_KIND = 7
export const KIND_HELLO = 0x48
export const KIND_COOKIE = 0x4b
export const KIND_INITIATE = 0x49
export const KIND_MESSAGE = 0x4d

/** All three client packets: C' at the same place. */
export const CLIENT_SHORT_TERM_KEY = 40

// Hello, client to server
//   40 : 32 : C'
//   72 : 64 : zeros, not checked
//  136 :  8 : nonce
//  144 : 16 : tag of the box under C'S, nonce CurveCP-client-H
//  160 : 64 :     zeros, not checked
// 224

export const HELLO_ZEROS = 72
export const HELLO_NONCE = 136
export const HELLO_BOX = 160
export const HELLO_BOX_BYTES = 64
export const HELLO_BYTES = 224

// Cookie, server to client
//   40 : 16 : nonce
//   56 : 16 : tag of the box under C'S, nonce CurveCPK
//   72 : 32 :     S'
//  104 : 16 :     cookie: nonce
//  120 : 16 :     cookie: tag of the box under the minute key, nonce minute-k
//  136 : 32 :         C'
//  168 : 32 :         s'
// 200

export const COOKIE_NONCE = 40
export const COOKIE_BOX = 72
export const COOKIE_BOX_BYTES = 128
export const COOKIE_SHORT_TERM_KEY = 72
export const COOKIE_COOKIE = 104
export const COOKIE_PACKET_BYTES = 200

// The 96-byte cookie, wherever it stands (offsets from its own start)

export const INNER_NONCE = 0
export const INNER_BOX = 32
export const INNER_CLIENT_KEY = 32
export const INNER_SERVER_SECRET = 64
export const INNER_BOX_BYTES = 64
export const INNER_COOKIE_BYTES = 96

// Initiate, client to server, M = 16, 32 … 640
//   40 :  32 : C'
//   72 :  96 : cookie
//  168 :   8 : nonce
//  176 :  16 : tag of the box under C'S', nonce CurveCP-client-I
//  192 :  32 :     C
//  224 :  16 :     vouch nonce
//  240 :  16 :     tag of the vouch under CS, nonce CurveCPV
//  256 :  32 :         C'
//  288 : 256 :     server name
//  544 :   M :     message
// 544 + M

export const INITIATE_COOKIE = 72
export const INITIATE_NONCE = 168
export const INITIATE_BOX = 192
export const INITIATE_LONG_TERM_KEY = 192
export const INITIATE_VOUCH_NONCE = 224
export const INITIATE_VOUCH = 256
export const INITIATE_SERVER_NAME = 288
export const INITIATE_MESSAGE = 544
export const INITIATE_MESSAGE_MAX = 640
export const SERVER_NAME_BYTES = 256

// Client Message, client to server, M = 16, 32 … 1088
//   40 : 32 : C'
//   72 :  8 : nonce
//   80 : 16 : tag of the box under C'S', nonce CurveCP-client-M
//   96 :  M :     message
// 96 + M

export const CLIENT_MESSAGE_NONCE = 72
export const CLIENT_MESSAGE_BOX = 96

// Server Message, server to client, M = 16, 32 … 1088
//   40 :  8 : nonce
//   48 : 16 : tag of the box under C'S', nonce CurveCP-server-M
//   64 :  M :     message
// 64 + M

export const SERVER_MESSAGE_NONCE = 40
export const SERVER_MESSAGE_BOX = 64

export const MESSAGE_MIN = 16
export const MESSAGE_MAX = 1088

export const TO_SERVER_MIN = 80
export const TO_SERVER_MAX = CLIENT_MESSAGE_BOX + MESSAGE_MAX
export const TO_CLIENT_MIN = SERVER_MESSAGE_BOX + MESSAGE_MIN
export const TO_CLIENT_MAX = SERVER_MESSAGE_BOX + MESSAGE_MAX

/** A slot holds the largest packet, on whole cache lines. */
export const SLOT_BYTES = 1216

const KEY_BYTES = 32
const TAG_BYTES = 16
assert(HELLO_NONCE + 8 + TAG_BYTES === HELLO_BOX, 'the Hello box follows its nonce')
assert(HELLO_BOX + HELLO_BOX_BYTES === HELLO_BYTES, 'the Hello ends at its total')
assert(COOKIE_COOKIE + INNER_COOKIE_BYTES === COOKIE_PACKET_BYTES, 'the Cookie ends at its total')
assert(COOKIE_BOX + COOKIE_BOX_BYTES === COOKIE_PACKET_BYTES, 'so does its box')
assert(INNER_BOX + INNER_BOX_BYTES === INNER_COOKIE_BYTES, 'the inner cookie ends at its total')
assert(INITIATE_VOUCH + KEY_BYTES === INITIATE_SERVER_NAME, 'the vouch ends at the name')
assert(INITIATE_SERVER_NAME + SERVER_NAME_BYTES === INITIATE_MESSAGE, 'the message follows it')
assert(INITIATE_MESSAGE + INITIATE_MESSAGE_MAX === TO_SERVER_MAX, 'both longest packets are equal')
assert(TO_SERVER_MAX <= SLOT_BYTES, 'a slot holds every packet')
