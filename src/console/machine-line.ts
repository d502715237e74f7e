// The form of a machine's line on the console: JSON, a blank, an asterisk, and the CRC-32 of the
// JSON text as 8 hexadecimal digits. Whatever else stands on the line is noise. spec: firmware.md

import { crc32 } from 'node:zlib'

/** {"id":1,"cmd":"status"} *XXXXXXXX, without a line's end. */
export function frame(json: string): string {
	return `${json} *${checksum(json)}`
}

/** The JSON text; undefined: damaged, or no such line. */
export function unframe(line: string): string | undefined {
	const [, json, given] = /^(\{.*\}) \*([0-9A-Fa-f]{8})$/s.exec(line.trim()) ?? []
	if (json === undefined || given === undefined) return undefined
	return checksum(json) === given.toUpperCase() ? json : undefined
}

function checksum(text: string): string {
	return crc32(text).toString(16).toUpperCase().padStart(8, '0')
}
