// curvegate address show ADDRESS: what its parts mean, and lines to paste where people need them.

import { toKeyLabel } from '../base/base32.ts'
import { toHex } from '../base/hex.ts'
import { shellQuote, sshConfigQuote } from '../base/shell.ts'
import { EXIT_DONE } from '../platform/trouble.ts'
import { hostFault } from '../service/address-parts.ts'
import {
	canonicalAddress, checkOf, formatAddress, parseAddress, percentEncode, type Address,
} from '../service/address.ts'
import { describe } from './address-make.ts'
import type { Run } from './command.ts'
import { printJson, printLine } from './output.ts'

const CONNECT = 'curvegate connect'

export const run: Run = (args) => {
	const address = parseAddress(args.positionals[0]!)
	const checked = /[?&]check=/.test(args.positionals[0]!)
	if (args.has('json')) {
		printJson({ ...describe(address), checked, dns: dnsRecords(address), ...pastes(address) })
	} else {
		printLine(explain(address, checked))
	}
	return EXIT_DONE
}

function explain(address: Address, checked: boolean): string {
	const { key, hosts, port, name, extension } = address
	const zero = extension.every((byte) => byte === 0)
	const order = hosts.length > 1 ? ' (backup servers: the first that answers is taken)' : ''
	const records = dnsRecords(address)
	const { sshConfig, curl } = pastes(address)
	return [
		formatAddress(address),
		'',
		`  key        ${key === undefined ? 'told by DNS, in a CNAME of the host' : toHex(key)}`,
		`  hosts      ${hosts.join(', ')}${order}`,
		`  port       UDP ${port}`,
		`  name       ${percentEncode(name)}`,
		`  extension  ${toHex(extension)}${zero ? ' (none)' : ''}`,
		`  check      ${checkOf(canonicalAddress(address))}`
			+ (checked ? ' (fits)' : ' (was absent: a wrong character may go unnoticed)'),
		...(records.length === 0 ? [] : ['', `DNS, so that ${shortForm(address)} is enough:`,
			...records.map((record) => `  ${record}`)]),
		'',
		'~/.ssh/config:',
		...sshConfig.map((line) => `  ${line}`),
		'',
		'A page behind it:',
		...curl.map((line) => `  ${line}`),
	].join('\n')
}

/** The records under which the name alone tells address, key and extension; none if it cannot. */
function dnsRecords({ key, hosts, name, extension }: Address): string[] {
	const domain = new TextDecoder().decode(name).replace(/\.$/, '')
	const label = key && toKeyLabel(key)
	const isDomain = /[a-z]/i.test(domain) && domain.includes('.') && hostFault(domain) === undefined
	if (label === undefined || !isDomain || domain.includes(label)) return []
	const target = `${label}.${toHex(extension)}.${domain}`
	if (hostFault(target) !== undefined) return []
	const addresses = hosts.filter((host) => /^[0-9.]+$/.test(host))
	const alias = `${domain}. 300 IN CNAME ${target}.`
	if (addresses.length === hosts.length) {
		return [alias, ...addresses.map((one) => `${target}. 300 IN A ${one}`)]
	}
	// Another name can stand there too, if it is the only one and leads not back to us.
	const host = hosts[0]!.replace(/\.$/, '').toLowerCase()
	if (hosts.length > 1 || host === domain.toLowerCase()) return []
	return [alias, `${target}. 300 IN CNAME ${host}.`]
}

function shortForm({ name, port }: Address): string {
	return `curvecp://${percentEncode(name)}${port === 4000 ? '' : `:${port}`}`
}

interface Pastes {
	readonly sshConfig: readonly string[]
	readonly curl: readonly string[]
}

function pastes(address: Address): Pastes {
	const text = formatAddress(address)
	const host = percentEncode(address.name)
	return {
		sshConfig: [`Host ${host}`, `  ProxyCommand ${CONNECT} ${sshConfigQuote(text)}`],
		curl: [
			`${CONNECT} --listen 127.0.0.1:8080 ${shellQuote(text)} &`,
			'curl http://127.0.0.1:8080/',
		],
	}
}
