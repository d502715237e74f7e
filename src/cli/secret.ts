// A secret from whoever starts us: typed unseen, or the first line of a pipe.

import { readFileSync } from 'node:fs'
import { troubleOf, Usage } from '../platform/trouble.ts'
import type { Arguments } from './arguments.ts'

const LENGTH_MAX = 4096

export async function readSecret(prompt: string): Promise<string> {
	const { stdin, stderr } = process
	if (!stdin.isTTY) {
		let text = ''
		for await (const chunk of stdin) {
			text += String(chunk)
			if (text.length > LENGTH_MAX) break
		}
		return text.split(/\r?\n/)[0]!
	}
	const once = async (words: string): Promise<string> => {
		stderr.write(words)
		const text = await typed()
		stderr.write('\n')
		return text
	}
	const first = await once(prompt)
	if (await once('the same again: ') !== first) throw new Usage('they differ')
	return first
}

/** Of --password-file; undefined: none was given. */
export function passwordOf(args: Arguments): string | undefined {
	const file = args.text('password-file')
	if (file === undefined) return undefined
	try {
		return readFileSync(file, 'utf8').replace(/\r?\n$/, '')
	} catch (error) {
		throw troubleOf('read', file, error)
	}
}

async function typed(): Promise<string> {
	const { stdin } = process
	stdin.setRawMode(true)
	let text = ''
	try {
		for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
			for (const character of String(chunk)) {
				if (character === '\r' || character === '\n') return text
				if (character === '\u0003' || character === '\u0004') throw new Usage('given up')
				if (character === '\u007f' || character === '\b') text = [...text].slice(0, -1).join('')
				else if (text.length < LENGTH_MAX) text += character
			}
		}
		return text
	} finally {
		stdin.setRawMode(false)
		stdin.pause()
	}
}
